// The card fields inside the shop's page: format while typing, complain when a field is left or on submit, and confirm
// the payment from here, so that the number goes to the sandbox and nowhere else.
import { checkCvc, checkExpiry, checkNumber, digitsOf, expiryOf, formatCvc, formatExpiry, formatNumber } from "./card.js";
import { dress, intentOf, listen, post, retrieve, say } from "./frame.js";

const OVER = ["succeeded", "canceled", "requires_capture", "processing"];
const form = document.querySelector("form");
const { number, expiry, cvc } = form.elements;
const FIELDS = [
  { input: number, format: formatNumber, check: () => checkNumber(number.value) },
  { input: expiry, format: formatExpiry, check: () => checkExpiry(expiry.value) },
  { input: cvc, format: formatCvc, check: () => checkCvc(cvc.value, number.value) },
];
let readOnly = false;
const shown = new Set(); // inputs whose problem the buyer has been told

for (const field of FIELDS) {
  field.input.addEventListener("input", (event) => onInput(field, event));
  field.input.addEventListener("blur", () => field.input.value && complain(field));
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  say("submit");
});
document.addEventListener("focusin", () => say("focus"));
document.addEventListener("focusout", ({ relatedTarget }) => relatedTarget || say("blur"));
document.addEventListener("keydown", ({ key }) => key === "Escape" && say("escape"));
new ResizeObserver(tellHeight).observe(form);

listen({
  dress(look) {
    dress(look);
    lock((readOnly = look.readOnly));
    tellHeight();
  },
  open,
  validate,
  confirm,
  focus: () => number.focus(),
  blur: () => document.activeElement.blur(),
  clear,
});

async function open({ key, clientSecret }) {
  const { error, paymentIntent } = await retrieve(key, clientSecret);
  if (error) return say("loaderror", { error });
  if (OVER.includes(paymentIntent.status)) return say("loaderror", { error: over(paymentIntent) });
  say("ready");
}

function validate() {
  const problems = FIELDS.map(complain);
  const first = problems.findIndex(Boolean);
  if (first < 0) return {};
  FIELDS[first].input.focus();
  return { error: problems[first] };
}

async function confirm({ key, clientSecret, returnUrl, billing, receiptEmail }) {
  const invalid = validate();
  if (invalid.error) return invalid;
  const { month, year } = expiryOf(expiry.value);
  const fields = {
    key,
    client_secret: clientSecret,
    expected_payment_method_type: "card",
    use_stripe_sdk: "true",
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": digitsOf(number.value),
    "payment_method_data[card][exp_month]": month,
    "payment_method_data[card][exp_year]": year,
    "payment_method_data[card][cvc]": cvc.value,
    ...flat(billing, "payment_method_data[billing_details]"),
  };
  if (returnUrl) fields.return_url = returnUrl;
  if (receiptEmail) fields.receipt_email = receiptEmail;
  lock(true);
  try {
    return await post(`/v1/payment_intents/${intentOf(clientSecret)}/confirm`, fields);
  } finally {
    lock(readOnly);
  }
}

function clear() {
  for (const { input } of FIELDS) {
    input.value = "";
    show(input, null);
  }
  tellChange();
}

function onInput({ input, format, check }, event) {
  const erasing = event.inputType?.startsWith("delete");
  const before = digitsOf(input.value.slice(0, input.selectionStart)).length;
  const padded = input === expiry && digitsOf(format(input.value)).length - digitsOf(input.value).length;
  input.value = format(input.value, { erasing });
  const place = caretAfter(input.value, before + Math.max(0, padded || 0), erasing);
  input.setSelectionRange(place, place);
  if (shown.has(input)) show(input, check());
  tellChange();
}

/** Behind the n-th digit, and behind the gap that follows it unless something was erased. */
function caretAfter(text, digits, erasing) {
  let place = 0;
  for (let seen = 0; place < text.length && seen < digits; place++) if (/\d/.test(text[place])) seen++;
  while (!erasing && digits && place < text.length && /\D/.test(text[place])) place++;
  return place;
}

function complain({ input, check }) {
  const found = check();
  show(input, found);
  return found;
}

function show(input, found) {
  const line = document.getElementById(`${input.id}-error`);
  line.hidden = !found;
  line.textContent = found?.message ?? "";
  if (found) {
    shown.add(input);
    input.setAttribute("aria-invalid", "true");
  } else {
    shown.delete(input);
    input.removeAttribute("aria-invalid");
  }
}

/** Locked, not disabled: the focus stays where it is. */
function lock(locked) {
  for (const { input } of FIELDS) input.readOnly = locked;
}

function tellHeight() {
  say("height", { height: Math.ceil(form.getBoundingClientRect().height) + 8 });
}

function tellChange() {
  say("change", { complete: FIELDS.every(({ check }) => !check()), empty: FIELDS.every(({ input }) => !input.value) });
}

function over(intent) {
  return {
    type: "invalid_request_error",
    code: "payment_intent_unexpected_state",
    message: "This payment can no longer be paid.",
    payment_intent: intent,
  };
}

function flat(value, name) {
  return Object.fromEntries(
    Object.entries(value ?? {}).flatMap(([key, inner]) =>
      inner && typeof inner === "object" ? Object.entries(flat(inner, `${name}[${key}]`)) : inner ? [[`${name}[${key}]`, inner]] : [],
    ),
  );
}
