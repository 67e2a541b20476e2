// How card fields are written and judged. Pure functions: text in, text or a problem out.

const OK = null;
const LENGTH = 16;
const AMEX = /^3[47]/;

export function formatNumber(text) {
  const digits = digitsOf(text).slice(0, AMEX.test(digitsOf(text)) ? 15 : LENGTH);
  return AMEX.test(digits)
    ? [digits.slice(0, 4), digits.slice(4, 10), digits.slice(10)].filter(Boolean).join(" ")
    : digits.match(/.{1,4}/g)?.join(" ") ?? "";
}

/** “1227”, “12/27”, “12 / 2027” and “7/27” all become “MM / YY”. */
export function formatExpiry(text, { erasing = false } = {}) {
  let digits = digitsOf(text);
  if (/^\s*\d\s*\//.test(text)) digits = `0${digits}`;
  if (/^[2-9]/.test(digits)) digits = `0${digits}`;
  if (/\/\s*20\d\d$/.test(text.trim())) digits = digits.slice(0, 2) + digits.slice(-2);
  if (erasing && digits.length === 2 && !text.includes(" / ")) digits = digits.slice(0, -1);
  digits = digits.slice(0, 4);
  return digits.length < 2 ? digits : `${digits.slice(0, 2)} / ${digits.slice(2)}`;
}

export function formatCvc(text) {
  return digitsOf(text).slice(0, 4);
}

export function checkNumber(text) {
  const digits = digitsOf(text);
  if (digits.length < (AMEX.test(digits) ? 15 : LENGTH)) return problem("incomplete_number", "Your card number is incomplete.");
  return passesLuhn(digits) ? OK : problem("invalid_number", "Your card number is invalid.");
}

export function checkExpiry(text, today = new Date()) {
  const digits = digitsOf(text);
  if (digits.length < 4) return problem("incomplete_expiry", "Your card’s expiry date is incomplete.");
  const { month, year } = expiryOf(text);
  if (month < 1 || month > 12) return problem("invalid_expiry_month", "Your card’s expiry month is invalid.");
  if (year > today.getFullYear() + 50) return problem("invalid_expiry_year", "Your card’s expiry year is invalid.");
  if (new Date(year, month) <= today) return problem("invalid_expiry_year_past", "Your card’s expiry date is in the past.");
  return OK;
}

export function checkCvc(text, number) {
  const needed = AMEX.test(digitsOf(number)) ? 4 : 3;
  return digitsOf(text).length < needed ? problem("incomplete_cvc", "Your card’s security code is incomplete.") : OK;
}

export function expiryOf(text) {
  const digits = digitsOf(text);
  return { month: Number(digits.slice(0, 2)), year: 2000 + Number(digits.slice(2, 4)) };
}

export function digitsOf(text) {
  return text.replace(/\D/g, "");
}

function problem(code, message) {
  return { type: "validation_error", code, message };
}

function passesLuhn(digits) {
  let sum = 0;
  [...digits].reverse().forEach((digit, place) => {
    const value = Number(digit) * (place % 2 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  });
  return sum % 10 === 0;
}
