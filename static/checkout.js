/* The till: keeps the buyer's details as they are typed, and takes the card. The server is asked before and after
   everything; what is shown is what it said. The card fields are the provider's own, on this page. */
(() => {
  "use strict";

  const $ = (selector, root = document) => root.querySelector(selector);
  const form = $("#pay-form");
  let paying = false;

  /* ---- times on the buyer's own clock, whatever zone the event is in ---- */

  const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  function useOwnClock(root = document) {
    for (const time of root.querySelectorAll("#hold time, time[data-clock]")) time.textContent = clock.format(new Date(time.dateTime));
  }

  function say(text) {
    $("#say").textContent = text;
  }

  useOwnClock();
  document.addEventListener("htmx:after:swap", () => useOwnClock());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      await navigator.clipboard.writeText(copy.dataset.copy);
      copy.textContent = "Link copied";
      say("Link copied");
    }
    const release = event.target.closest("[data-release]");
    if (release) {
      event.preventDefault();
      if (!paying) $("#release").showModal();
    }
  });

  if (!form) return;

  /* ---- asking the server, one thing after the other ---- */

  const { path, back } = form.dataset;
  const PATIENCE = 30_000, LATER = 3000;
  let turn = Promise.resolve();

  /* What happens here is told to the same purchase in other tabs: the server says how it stands. */
  const tabs = new BroadcastChannel(path);
  tabs.onmessage = () => paying || location.assign(path);

  const inTurn = (work) => (turn = turn.then(work, work));

  /* `sent` comes back with the answer: whatever was typed since then is newer than what the server says about it. */
  async function post(where) {
    const sent = new FormData(form);
    return { sent, ...(await ask(where, { method: "POST", body: new URLSearchParams(sent) })) };
  }

  async function ask(where, options) {
    const headers = { "HX-Request": "true" };
    const answer = await fetch(path + where, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    const elsewhere = answer.headers.get("HX-Redirect");
    const wait = 1000 * (answer.headers.get("Retry-After") ?? 0);
    if (!elsewhere) return { status: answer.status, ok: answer.ok, text: await answer.text(), wait };
    tabs.postMessage("moved on");
    location.replace(elsewhere);
    return new Promise(() => {}); /* this page is over */
  }

  /* Not all pages at the same moment. */
  const spread = (wait) => wait + Math.random() * Math.min(wait / 4, 3000);

  const parse = (html) => new DOMParser().parseFromString(html, "text/html");

  /* ---- the buyer's details: remembered when a field is left, said in place when they need repair ---- */

  const fields = () => [...form.querySelectorAll("#buyer input")];
  const isFilled = () => fields().every((field) => field.value.trim());

  form.addEventListener("change", ({ target }) => {
    if (paying || !target.closest("#buyer")) return;
    /* What fails here is sent again with the next step. */
    inTurn(() => keep(target)).catch(() => {});
  });

  async function keep(field) {
    const showIt = ({ text, sent }) => {
      const fresh = parse(text);
      const summary = $("#error-summary"), now = $("#error-summary", fresh);
      if (now) summary?.replaceWith(now);
      else summary?.remove();
      if (document.activeElement?.id !== field.id) showField(field.id, fresh, sent);
    };
    if (needsCard && !card && isFilled()) return open({ after: showIt });
    const answer = await post("/buyer");
    return [200, 422].includes(answer.status) && showIt(answer);
  }

  /* True when it was replaced; what is being typed is never. */
  function showField(id, fresh, sent) {
    const shown = document.getElementById(id);
    if (shown.value !== sent.get(id)) return false;
    shown.closest(".field").replaceWith(fresh.getElementById(id).closest(".field"));
    return true;
  }

  function showBuyer({ text, sent }) {
    const fresh = parse(text), typing = document.activeElement?.id;
    $("#error-summary")?.remove();
    $("#buyer").prepend($("#error-summary", fresh));
    const kept = fields().map(({ id }) => id).filter((id) => !showField(id, fresh, sent));
    if (!kept.includes(typing)) $("#error-summary").focus();
    if (!document.title.startsWith("Error: ")) document.title = `Error: ${document.title}`;
  }

  function forgetErrors() {
    for (const error of form.querySelectorAll("#error-summary, #buyer .error")) error.remove();
    for (const field of fields()) field.removeAttribute("aria-invalid");
    document.title = document.title.replace("Error: ", "");
  }

  /* ---- the card ---- */

  const needsCard = form.matches("[data-pay]");
  const slot = $("[data-card]");
  const button = $("[data-pay-button]");
  let stripe = null, elements = null, card = null;
  let again = 0, attempts = 0, inLine = false;

  if (!needsCard) return;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (paying) return;
    setPaying(true);
    try {
      /* What was pressed is what counts: the card may have appeared while this waited its turn. */
      await inTurn(card ? pay : () => (card ? card.focus() : open({ after: showBuyer, focus: true })));
    } catch {
      show("offline");
    }
    setPaying(false);
  });
  if (isFilled() && !$("[aria-invalid='true']")) inTurn(() => open({})).catch(() => show("offline"));

  /* Start the payment (or find it again) and show the card fields. The server hands out what can be paid with only
     to a buyer whom it knows. When it asks for patience, or nobody answers, this comes again by itself. */
  async function open({ after, focus = false }) {
    clearTimeout(again);
    slot.setAttribute("aria-busy", "true");
    try {
      const answer = await post("/payment");
      if (answer.status === 202) return standInLine(answer, { after });
      if (answer.status === 503) openLater(answer.wait, { after });
      if (answer.status === 422) {
        leaveLine();
        return after?.(answer);
      }
      if (!answer.ok) return showNotice(answer.text, { focus });
      if (!(await mount(JSON.parse(answer.text).client_secret))) {
        openLater(LATER, { after });
        return show("unreachable");
      }
      forgetErrors();
      if (inLine && !focus) say("You can pay now.");
      leaveLine();
      if (focus) card.focus();
      return null;
    } catch (error) {
      openLater(LATER, { after });
      throw error;
    } finally {
      slot.removeAttribute("aria-busy");
    }
  }

  /* Nobody's focus is moved by what happens after a while. */
  function openLater(wait, { after }) {
    const patience = Math.min(wait * 1.5 ** attempts++, 30_000);
    again = setTimeout(() => card || inTurn(() => card || open({ after })).catch(() => show("offline")), spread(patience));
  }

  /* More buyers than the provider may be asked for: the place is kept, and the hold, which is shown anew, waits too. */
  async function standInLine({ text, wait }, options) {
    attempts = 0;
    openLater(wait, options);
    $("[data-card-waiting] span").textContent = slot.dataset.soon;
    await htmx.swap({ text, sourceElement: form, target: form, swap: "none" });
    if (!inLine) say($("#payment-notice").textContent);
    inLine = true;
  }

  function leaveLine() {
    inLine = false;
    attempts = 0;
    if ($("#payment-notice").matches("[data-passing]")) $("#payment-notice").replaceChildren();
  }

  async function mount(clientSecret) {
    try {
      await loadScript();
      stripe ??= window.Stripe(slot.dataset.key);
      const font = { family: "Instrument Sans", src: `url(${slot.dataset.font})`, weight: "400 700" };
      elements = stripe.elements({ clientSecret, fonts: [font], appearance: appearance() });
      card = elements.create("payment", { fields: { billingDetails: { name: "never", email: "never" } } });
      await new Promise((ready, failed) => {
        card.once("ready", ready);
        card.once("loaderror", failed);
        card.mount($("[data-card-form]"));
      });
    } catch {
      forgetCard();
      await ask("/status"); /* paid in another tab? then this leaves for the tickets */
      return false;
    }
    $("[data-card-waiting]").hidden = true;
    button.textContent = button.dataset.labelPay;
    return true;
  }

  function loadScript() {
    if (window.Stripe) return null;
    return new Promise((loaded, failed) => {
      const script = document.createElement("script");
      script.src = slot.dataset.script;
      script.onload = loaded;
      script.onerror = failed;
      document.head.append(script);
    });
  }

  function forgetCard() {
    card?.destroy();
    card = elements = null;
    $("[data-card-waiting]").hidden = false;
  }

  async function pay() {
    const [answer, check] = await Promise.all([post("/buyer"), elements.submit()]);
    if (answer.status === 422) return showBuyer(answer);
    if (!answer.ok) return show("failed");
    forgetErrors();
    if (check.error) return check.error.type === "validation_error" || show("failed");
    say("Asking your bank…");
    const [name, email] = fields().map((field) => field.value);
    const { error } = await stripe.confirmPayment({
      elements,
      confirmParams: { return_url: back, payment_method_data: { billing_details: { name, email } } },
      redirect: "if_required",
    });
    if (error?.type === "validation_error") return null;
    return follow(error);
  }

  /* What became of it? Only the server knows: it asks the provider and answers until there are tickets or a no.
     No answer is none: a server that is away, or a provider that is, are asked again. */
  async function follow(error) {
    for (let pause = 500, asked = 1, said = null; ; pause = Math.min(pause * 1.5, 5000), asked++) {
      const answer = await ask("/status").catch(() => null);
      if (answer?.status === 402 && !isTrouble(error)) return decline(answer.text);
      if (error && [200, 402].includes(answer?.status)) return fail(error);
      const kind = standing(answer);
      if (kind !== said && asked >= (kind === "thinking" ? 3 : 2)) show((said = kind));
      await new Promise((soon) => setTimeout(soon, spread(Math.max(pause, answer?.wait ?? 0))));
    }
  }

  function standing(answer) {
    if (answer?.status === 200) return "thinking";
    return answer?.status === 202 && $("#waiting[data-agreed]", parse(answer.text)) ? "agreed" : "asking";
  }

  /* The line broke: an older “no” would not be the reason. */
  const isTrouble = (error) => ["api_connection_error", "api_error", "rate_limit_error"].includes(error?.type);

  function decline(html) {
    showNotice(html, { focus: true });
    button.textContent = button.dataset.labelAgain;
    if ($("#payment-notice").matches("[data-over]")) return startOver({ focus: false });
    return null;
  }

  function fail(error) {
    if (error.code === "payment_intent_unexpected_state") return startOver({ focus: true });
    button.textContent = button.dataset.labelAgain;
    return show("failed");
  }

  /* That intent is dead; the next one has card fields of its own. */
  function startOver({ focus }) {
    forgetCard();
    return open({ after: showBuyer, focus });
  }

  function setPaying(isPaying) {
    paying = isPaying;
    document.body.classList.toggle("is-paying", isPaying); /* nothing leaves this page while money may move */
    $("[data-release]").setAttribute("aria-disabled", isPaying);
    if (isPaying) button.setAttribute("aria-busy", "true");
    else button.removeAttribute("aria-busy");
    card?.update({ readOnly: isPaying });
    if (!isPaying && $("#hold").dataset.state === "gone") location.assign(path);
  }

  /* ---- what there is to say about the payment ---- */

  const ASKING = ["thinking", "asking", "agreed"];

  function showNotice(html, { focus }) {
    const notice = $("#payment-notice", parse(html));
    if (!notice) return show("unreachable");
    $("#payment-notice").replaceWith(notice);
    useOwnClock(notice);
    say("");
    if (focus) $("[data-autofocus]", notice)?.focus();
  }

  function show(kind) {
    showNotice($(`[data-notice="${kind}"]`).innerHTML, { focus: paying && !ASKING.includes(kind) });
  }

  /* ---- the provider's fields in the colours of the page ---- */

  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  function appearance() {
    const { theme } = document.documentElement.dataset;
    const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    return {
      theme: dark ? "night" : "stripe",
      variables: {
        colorPrimary: colour("--accent"),
        colorBackground: colour("--surface"),
        colorText: colour("--ink"),
        colorTextSecondary: colour("--ink-2"),
        colorTextPlaceholder: colour("--ink-3"),
        colorDanger: colour("--bad"),
        borderRadius: "11px",
        fontFamily: "Instrument Sans, system-ui, sans-serif",
        fontSizeBase: "16px",
        spacingUnit: "4px",
      },
      rules: { ".Input": { border: `1px solid ${colour("--edge")}`, boxShadow: "none" }, ".Label": { fontWeight: "570" } },
    };
  }

  /* Our tokens are light-dark(oklch(…)); the provider understands rgb only. On its way from one colour to the next,
     however short, an element would still say the first: what less motion asks for is a very short way, not none. */
  function colour(token) {
    slot.style.setProperty("transition", "none", "important");
    slot.style.setProperty("outline-color", `var(${token})`);
    probe.fillStyle = getComputedStyle(slot).outlineColor;
    slot.style.removeProperty("outline-color");
    slot.style.removeProperty("transition");
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    return `rgb(${red}, ${green}, ${blue})`;
  }

  const dressAgain = () => elements?.update({ appearance: appearance() });
  new MutationObserver(dressAgain).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dressAgain);
})();
