// The part of Stripe.js that a card checkout uses, answered by the sandbox that serves this file. Same calls, same
// answers as js.stripe.com. Card numbers are typed in a frame of the sandbox's own origin and never reach the shop's page.
// The shop's policy allows no inline styles, so everything here is set through the CSSOM.
(() => {
  "use strict";

  const script = document.currentScript ?? document.querySelector('script[src*="/js/stripe.js"]');
  const ORIGIN = new URL(script.src).origin;
  const PATIENCE = 15_000;
  const ROOM_FOR_OUTLINES = 4;
  const UNREACHABLE = {
    type: "api_connection_error",
    message:
      "We are experiencing issues connecting to our payments provider. Please check your internet connection and try again.",
  };

  class IntegrationError extends Error {
    name = "IntegrationError";
  }

  /** A page of the sandbox inside the shop's page; both sides talk in messages. */
  class Frame {
    #handlers = {};
    #waiting = new Map();
    #unsent = [];
    #open = false;
    #count = 0;
    #hear = (event) => this.#receive(event);

    constructor(page, title) {
      this.iframe = document.createElement("iframe");
      this.iframe.src = `${ORIGIN}/js/${page}`;
      this.iframe.title = title;
      this.iframe.style.setProperty("border", "0");
      this.iframe.style.setProperty("display", "block");
      addEventListener("message", this.#hear);
    }

    on(type, handler) {
      this.#handlers[type] = handler;
    }

    say(type, data = {}) {
      if (!this.#open) return void this.#unsent.push([type, data]);
      this.iframe.contentWindow?.postMessage({ type, ...data }, ORIGIN);
    }

    ask(type, data = {}) {
      const call = ++this.#count;
      return new Promise((resolve) => {
        this.#waiting.set(call, resolve);
        this.say(type, { ...data, call });
      });
    }

    remove() {
      removeEventListener("message", this.#hear);
      this.iframe.remove();
      for (const resolve of this.#waiting.values()) resolve({ error: UNREACHABLE });
      this.#waiting.clear();
    }

    #receive({ source, origin, data }) {
      if (source !== this.iframe.contentWindow || origin !== ORIGIN) return;
      if (data.type === "hello") return this.#greet();
      if (data.type === "answer") {
        this.#waiting.get(data.call)?.(data.result);
        return void this.#waiting.delete(data.call);
      }
      this.#handlers[data.type]?.(data);
    }

    #greet() {
      this.#open = true;
      this.#handlers.hello?.();
      for (const [type, data] of this.#unsent.splice(0)) this.say(type, data);
    }
  }

  class PaymentElement {
    #group;
    #options;
    #frame = null;
    #host = null;
    #listeners = {};
    #timer = 0;

    constructor(group, options) {
      this.#group = group;
      this.#options = options;
    }

    mount(target) {
      const host = typeof target === "string" ? document.querySelector(target) : target;
      if (!host) throw new IntegrationError(`The selector you specified (${target}) applies to no DOM elements that are currently on the page.`);
      this.unmount();
      this.#host = host;
      this.#frame = new Frame("element.html", "Secure payment input frame");
      const { iframe } = this.#frame;
      iframe.name = "__sandboxStripeFrame";
      iframe.style.setProperty("margin", `-${ROOM_FOR_OUTLINES}px`);
      iframe.style.setProperty("width", `calc(100% + ${2 * ROOM_FOR_OUTLINES}px)`);
      iframe.style.setProperty("height", "168px");
      this.#listen();
      this.#dress();
      this.#frame.say("open", this.#group._keys());
      this.#timer = setTimeout(() => this.#emit("loaderror", { error: UNREACHABLE }), PATIENCE);
      host.classList.add("StripeElement");
      host.replaceChildren(iframe);
      this.#emit("loaderstart");
    }

    unmount() {
      clearTimeout(this.#timer);
      this.#frame?.remove();
      this.#host?.classList.remove("StripeElement", "StripeElement--focus", "StripeElement--complete");
      this.#frame = this.#host = null;
    }

    destroy() {
      this.unmount();
      this.#group._forget();
    }

    on(type, handler) {
      (this.#listeners[type] ??= new Set()).add(handler);
      return this;
    }

    once(type, handler) {
      const first = (event) => {
        this.off(type, first);
        handler(event);
      };
      return this.on(type, first);
    }

    off(type, handler) {
      if (handler) this.#listeners[type]?.delete(handler);
      else delete this.#listeners[type];
      return this;
    }

    focus() {
      this.#frame?.iframe.focus();
      this.#frame?.say("focus");
    }

    blur() {
      this.#frame?.say("blur");
    }

    clear() {
      this.#frame?.say("clear");
    }

    collapse() {}

    update(options = {}) {
      this.#options = { ...this.#options, ...options };
      this.#dress();
    }

    _ask(type, data) {
      if (!this.#frame) throw new IntegrationError("We could not retrieve data from the specified Element. Please make sure it is mounted.");
      return this.#frame.ask(type, data);
    }

    _scheme() {
      return schemeOf(this.#group._appearance(), this.#host);
    }

    /** Hand the look to the frame. Both must agree on the colour scheme, or the frame turns opaque. */
    #dress() {
      if (!this.#frame) return;
      const { appearance, locale, fonts } = this.#group._look();
      const scheme = this._scheme();
      this.#frame.iframe.style.setProperty("color-scheme", scheme);
      this.#frame.say("dress", { appearance, locale, fonts, scheme, readOnly: !!this.#options.readOnly });
    }

    _dress() {
      this.#dress();
    }

    #listen() {
      const frame = this.#frame;
      const host = this.#host;
      frame.on("height", ({ height }) => frame.iframe.style.setProperty("height", `${height}px`));
      frame.on("ready", () => {
        clearTimeout(this.#timer);
        this.#emit("ready");
      });
      frame.on("loaderror", ({ error }) => {
        clearTimeout(this.#timer);
        this.#emit("loaderror", { error });
      });
      frame.on("change", ({ complete, empty }) => {
        host.classList.toggle("StripeElement--complete", complete);
        this.#emit("change", { complete, empty, collapsed: false, value: { type: "card" } });
      });
      for (const type of ["focus", "blur"]) {
        frame.on(type, () => {
          host.classList.toggle("StripeElement--focus", type === "focus");
          this.#emit(type);
        });
      }
      frame.on("escape", () => this.#emit("escape"));
      frame.on("submit", () => host.closest("form")?.requestSubmit());
    }

    #emit(type, data = {}) {
      for (const handler of [...(this.#listeners[type] ?? [])]) handler({ elementType: "payment", ...data });
    }
  }

  class Elements {
    #key;
    #options;
    #element = null;

    constructor(key, options) {
      if (!secretParts(options.clientSecret)) {
        throw new IntegrationError("Invalid value for elements(): clientSecret should be a client secret of the form ${id}_secret_${secret}.");
      }
      this.#key = key;
      this.#options = options;
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#element?._dress());
    }

    create(type, options = {}) {
      if (type !== "payment") throw new IntegrationError(`The sandbox offers the payment element only, not “${type}”.`);
      if (this.#element) throw new IntegrationError("Can only create one Element of type payment.");
      return (this.#element = new PaymentElement(this, options));
    }

    getElement(type) {
      return type === "payment" ? this.#element : null;
    }

    update(options = {}) {
      this.#options = { ...this.#options, ...options };
      this.#element?._dress();
    }

    async fetchUpdates() {
      return {};
    }

    async submit() {
      const { error } = await this._element()._ask("validate");
      return error ? { error } : { selectedPaymentMethod: "card" };
    }

    _element() {
      if (!this.#element) throw new IntegrationError("elements.create('payment') was not called.");
      return this.#element;
    }

    _forget() {
      this.#element = null;
    }

    _keys() {
      return { key: this.#key, clientSecret: this.#options.clientSecret };
    }

    _appearance() {
      return this.#options.appearance ?? {};
    }

    _look() {
      const { locale = "auto", fonts = [] } = this.#options;
      return { appearance: this._appearance(), fonts, locale: locale === "auto" ? navigator.language : locale };
    }
  }

  function Stripe(key, settings = {}) {
    if (typeof key !== "string" || !key.startsWith("pk_test_")) {
      throw new IntegrationError("The sandbox takes a publishable test key (pk_test_…).");
    }

    async function confirmPayment({ elements, clientSecret, confirmParams = {}, redirect = "always" }) {
      if (!elements) throw new IntegrationError("The sandbox confirms with elements only: confirmPayment({elements, …}).");
      if (redirect !== "if_required" && !confirmParams.return_url) {
        throw new IntegrationError('confirmPayment(): confirmParams.return_url is required unless redirect is "if_required".');
      }
      const secret = clientSecret ?? elements._keys().clientSecret;
      let answer = await elements._element()._ask("confirm", {
        key,
        clientSecret: secret,
        returnUrl: confirmParams.return_url ?? null,
        billing: confirmParams.payment_method_data?.billing_details ?? {},
        receiptEmail: confirmParams.receipt_email ?? null,
      });
      if (answer.paymentIntent?.status === "requires_action") {
        answer = await challenge(secret, elements._look(), elements._element()._scheme());
      }
      return leave(answer, secret, confirmParams.return_url, redirect);
    }

    async function handleNextAction({ clientSecret }) {
      const answer = await retrievePaymentIntent(clientSecret);
      if (answer.paymentIntent?.status !== "requires_action") return answer;
      const look = { locale: settings.locale ?? navigator.language, appearance: {} };
      return challenge(clientSecret, look, schemeOf({}, document.body));
    }

    async function retrievePaymentIntent(clientSecret) {
      const [id] = secretParts(clientSecret) ?? [];
      if (!id) throw new IntegrationError("Invalid value for stripe.retrievePaymentIntent intent secret.");
      const query = new URLSearchParams({ key, client_secret: clientSecret });
      try {
        const answer = await (await fetch(`${ORIGIN}/v1/payment_intents/${id}?${query}`)).json();
        return answer.error ? { error: answer.error } : { paymentIntent: answer };
      } catch {
        return { error: UNREACHABLE };
      }
    }

    /** The bank's page, over the whole window, until its owner has decided. */
    async function challenge(clientSecret, { locale, appearance }, scheme) {
      const frame = new Frame("challenge.html", "Test bank: 3-D Secure");
      const dialog = document.createElement("dialog");
      dialog.setAttribute("aria-label", "Your bank asks you to approve this payment");
      cover(dialog, frame.iframe, scheme);
      dialog.append(frame.iframe);
      dialog.addEventListener("cancel", (event) => {
        event.preventDefault();
        frame.say("reject");
      });
      document.body.append(dialog);
      dialog.showModal();
      frame.iframe.focus();
      const answer = await Promise.race([frame.ask("challenge", { key, clientSecret, locale, appearance, scheme }), unless(frame)]);
      dialog.close();
      frame.remove();
      dialog.remove();
      return settled(answer);
    }

    const registerAppInfo = () => {};
    const elements = (options = {}) => new Elements(key, { locale: settings.locale, ...options });
    return { elements, confirmPayment, handleNextAction, retrievePaymentIntent, registerAppInfo, _registerWrapper() {} };
  }

  /** A payment that went through leaves for return_url, unless the page wants to stay. */
  function leave(answer, clientSecret, returnUrl, redirect) {
    if (answer.error || redirect === "if_required") return answer;
    const url = new URL(returnUrl);
    url.searchParams.set("payment_intent", answer.paymentIntent.id);
    url.searchParams.set("payment_intent_client_secret", clientSecret);
    url.searchParams.set("redirect_status", "succeeded");
    location.assign(url);
    return new Promise(() => {});
  }

  /** A payment that came back needing another card is an error to the page, with the bank's reason. */
  function settled(answer) {
    const intent = answer.paymentIntent;
    if (intent?.status !== "requires_payment_method") return answer;
    return { error: { ...intent.last_payment_error, payment_intent: intent } };
  }

  function unless(frame) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve({ error: UNREACHABLE }), PATIENCE);
      frame.on("hello", () => clearTimeout(timer));
    });
  }

  function cover(dialog, iframe, scheme) {
    const styles = { position: "fixed", inset: "0", width: "100vw", height: "100dvh", "max-width": "none", "max-height": "none", margin: "0", padding: "0", border: "0", background: "transparent", overflow: "hidden", "color-scheme": scheme };
    for (const [name, value] of Object.entries(styles)) dialog.style.setProperty(name, value);
    for (const name of ["width", "height"]) iframe.style.setProperty(name, "100%");
    iframe.style.setProperty("color-scheme", scheme);
  }

  function schemeOf(appearance, host) {
    if (appearance.theme === "night") return "dark";
    if (appearance.theme) return "light";
    const declared = host ? getComputedStyle(host).colorScheme : "";
    if (declared.includes("dark") && !declared.includes("light")) return "dark";
    if (!declared.includes("dark")) return "light";
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  function secretParts(secret) {
    const match = /^(pi_[A-Za-z0-9]+)_secret_[A-Za-z0-9]+$/.exec(secret ?? "");
    return match ? [match[1], secret] : null;
  }

  Stripe.version = "sandbox";
  window.Stripe = Stripe;
})();
