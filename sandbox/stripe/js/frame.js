// What both pages inside the shop's frames share: talking to Stripe.js outside, to the API, and taking on the shop's look.

const VARIABLES = ["colorPrimary", "colorBackground", "colorText", "colorTextSecondary", "colorTextPlaceholder", "colorDanger", "borderRadius", "fontFamily", "fontSizeBase", "fontWeightMedium", "spacingUnit", "focusOutline"];
const CONNECTION = {
  type: "api_connection_error",
  message: "We are experiencing issues connecting to our payments provider. Please check your internet connection and try again.",
};

let shop = null;

/** Hear the page outside (and nobody else), and tell it that this one is there. */
export function listen(handlers) {
  addEventListener("message", async ({ source, origin, data }) => {
    if (source !== window.parent || (shop && origin !== shop)) return;
    shop ??= origin;
    const result = await handlers[data.type]?.(data);
    if (data.call) say("answer", { call: data.call, result });
  });
  window.parent.postMessage({ type: "hello" }, "*"); // the only message before the shop's origin is known; it says nothing
}

export function say(type, data = {}) {
  if (shop) window.parent.postMessage({ type, ...data }, shop);
}

export async function post(path, fields) {
  return call(path, { method: "POST", body: new URLSearchParams(fields) });
}

export async function retrieve(key, clientSecret) {
  return call(`/v1/payment_intents/${intentOf(clientSecret)}?${new URLSearchParams({ key, client_secret: clientSecret })}`);
}

export function intentOf(clientSecret) {
  return clientSecret.split("_secret_")[0];
}

export function dress({ appearance = {}, scheme, locale, fonts = [] }) {
  const root = document.documentElement;
  root.dataset.scheme = scheme;
  root.lang = "en";
  root.dataset.locale = locale;
  for (const name of VARIABLES) {
    const value = appearance.variables?.[name];
    if (value) root.style.setProperty(`--${name}`, value);
    else root.style.removeProperty(`--${name}`);
  }
  for (const { family, src, ...descriptors } of fonts) {
    if (family && src) new FontFace(family, src, descriptors).load().then((face) => document.fonts.add(face), () => {});
  }
}

async function call(path, options) {
  try {
    const answer = await (await fetch(path, options)).json();
    return answer.error ? { error: answer.error } : { paymentIntent: answer };
  } catch {
    return { error: CONNECTION };
  }
}
