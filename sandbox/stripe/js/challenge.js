// The bank's 3-D Secure page: one question, two answers, Escape is no. The focus stays inside until it is answered.
import { dress, intentOf, listen, post, retrieve } from "./frame.js";

const ZERO_DECIMAL = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split(" ");
const THREE_DECIMAL = "bhd jod kwd omr tnd".split(" ");
const approve = document.querySelector("#approve");
const reject = document.querySelector("#reject");
const question = document.querySelector("#question");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") reject.click();
  if (event.key !== "Tab") return;
  event.preventDefault();
  (document.activeElement === approve ? reject : approve).focus();
});

listen({ challenge, reject: () => reject.click() });

async function challenge({ key, clientSecret, ...look }) {
  dress(look);
  const { error, paymentIntent } = await retrieve(key, clientSecret);
  if (error) return { error };
  if (paymentIntent.status !== "requires_action") return { paymentIntent };
  question.textContent = `Approve this payment of ${money(paymentIntent, look.locale)}?`;
  document.title = question.textContent;
  const outcome = await decision();
  return post(`/v1/payment_intents/${intentOf(clientSecret)}/authenticate`, { key, client_secret: clientSecret, outcome });
}

function decision() {
  approve.disabled = reject.disabled = false;
  approve.focus();
  return new Promise((resolve) => {
    const decide = (outcome) => {
      approve.disabled = reject.disabled = true;
      resolve(outcome);
    };
    approve.onclick = () => decide("success");
    reject.onclick = () => decide("failure");
  });
}

function money({ amount, currency }, locale) {
  const digits = ZERO_DECIMAL.includes(currency) ? 0 : THREE_DECIMAL.includes(currency) ? 3 : 2;
  const options = { style: "currency", currency: currency.toUpperCase(), minimumFractionDigits: digits, maximumFractionDigits: digits };
  try {
    return new Intl.NumberFormat(locale, options).format(amount / 10 ** digits);
  } catch {
    return new Intl.NumberFormat("en", options).format(amount / 10 ** digits);
  }
}
