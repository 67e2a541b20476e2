/* The desk's own script, beside app.js. Everything here is an enhancement: every form and link works without it. */
(() => {
  "use strict";

  const $$ = (selector) => [...document.querySelectorAll(selector)];
  const on = (type, listener) => document.addEventListener(type, listener);

  /* A question that was swapped into #modal opens above the page; without this script it is a page of its own. */
  function open(dialog) {
    if (dialog.open) return;
    const asked = document.activeElement;
    dialog.addEventListener("close", () => {
      dialog.remove();
      asked?.focus?.();
    });
    dialog.showModal();
  }

  on("click", (event) => {
    const target = event.target.closest("[data-close-dialog], [data-copy]");
    if (!target) return;
    if (target.dataset.copy) {
      navigator.clipboard.writeText(target.dataset.copy).then(() => { target.textContent = "Copied"; });
    } else if (target.closest("dialog[open]")) {
      event.preventDefault();
      target.closest("dialog").close();
    }
  });
  on("htmx:after:swap", () => $$("dialog[data-modal]").forEach(open));

  /* A menu closes when somebody goes on elsewhere, or says Escape. */
  on("click", (event) => $$("details.more[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; }));
  on("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest("details.more[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  /* What a page asks by itself is refused once its session is over: say so, instead of standing still. */
  function shutOut(status) {
    const words = document.querySelector("#shut-out");
    if (![401, 403].includes(status) || !words || !document.querySelector("#live, #poll")) return;
    $$("#live, #poll, #live-state").forEach((element) => element.remove());
    const toast = words.content.firstElementChild.cloneNode(true);
    toast.querySelector("a").href += encodeURIComponent(location.pathname + location.search);
    document.querySelector("#toasts").append(toast);
  }
  on("htmx:sse:error", (event) => shutOut(event.detail.status));
  on("htmx:response:error", (event) => {
    if (event.target.matches?.("#live, #poll")) shutOut(event.detail.ctx?.response?.status);
  });

  /* ---- orders that arrive while their list is open ----
     A bell rings for all, each list asks what that means for it. New ones join it only while nobody points at it,
     stands in it or has scrolled into it; and an answer to what the list no longer is, is asked for again. */

  const arrivals = (element) => element?.matches?.("#poll[data-arrivals]");
  const shown = () => document.querySelector("#seen")?.innerHTML;

  on("htmx:sse:after:message", (event) => {
    const poll = document.querySelector("#poll[data-arrivals]");
    if (poll && !event.detail.message.event) htmx.trigger(poll, "foyer:poll");
  });
  on("htmx:config:request", (event) => {
    const { ctx } = event.detail, list = document.querySelector("#rows");
    if (!arrivals(ctx.sourceElement) || !list) return;
    ctx.shown = shown();
    if (!list.matches(":hover, :active, :focus-within") && scrollY < 40) ctx.request.body.set("still", "1");
  });
  on("htmx:before:swap", (event) => {
    const { ctx } = event.detail;
    if (!arrivals(ctx.sourceElement) || ctx.shown === shown()) return;
    event.preventDefault();
    htmx.trigger(ctx.sourceElement, "foyer:poll");
  });

  /* ---- fields that are saved when they are left ---- */

  const LARGEST_LAST_WORD = 60000; /* a browser sends no more than 64 KB after its page is gone */

  /* A request that waited for the one before it carries what that one has made of the field. And what is typed last
     reaches us although the page is being left. */
  on("htmx:before:request", (event) => {
    const { sourceElement, request } = event.detail.ctx;
    if (!sourceElement.matches?.("form[data-in-place]")) return;
    if (sourceElement.elements.was) request.body.set("was", sourceElement.elements.was.value);
    request.keepalive = request.body.toString().length < LARGEST_LAST_WORD;
  });
  on("input", (event) => {
    const form = event.target.closest("form[data-in-place]");
    form?.querySelector("[role=status]")?.replaceChildren();
  });

  /* ---- what was typed into a form with a button, and is not saved: whoever goes elsewhere is asked first ----
     The server marks a form that came back, data-unsaved="typed": what is in it is not saved either. */

  const mark = (form, as) => { if (form) form.dataset.unsaved = as; };
  const unsaved = (within) => $$("form[data-unsaved='typed']").filter((form) => within.contains(form));
  const its = (element) => element.closest?.("form[data-unsaved]");

  on("input", ({ target }) => mark(its(target), "typed"));
  on("submit", ({ target }) => mark(its(target), "sent"));
  const calledOff = () => $$("form[data-unsaved='sent']").forEach((form) => mark(form, "typed"));
  for (const problem of ["htmx:error", "htmx:response:error"]) on(problem, ({ target }) => mark(its(target), "typed"));
  on("click", ({ target }) => { if (target.closest("[data-discard]")) mark(its(target), ""); });

  function askToLeave(forms, go) {
    const dialog = document.querySelector("#leave").content.firstElementChild.cloneNode(true);
    dialog.querySelector("[data-leave]").addEventListener("click", () => {
      forms.forEach((form) => mark(form, ""));
      dialog.close();
      go();
    });
    document.querySelector("#modal").replaceChildren(dialog);
    open(dialog);
  }
  on("htmx:before:request", (event) => {
    const { sourceElement, target } = event.detail.ctx;
    const forms = target instanceof Element ? unsaved(target).filter((form) => !form.contains(sourceElement)) : [];
    if (!forms.length) return;
    event.preventDefault();
    calledOff();
    askToLeave(forms, () => (sourceElement.matches("form") ? sourceElement.requestSubmit() : sourceElement.click()));
  });
  window.navigation?.addEventListener("navigate", (event) => {
    const forms = unsaved(document);
    if (!forms.length || event.navigationType !== "traverse" || !event.canIntercept || !event.cancelable || event.hashChange) return;
    event.preventDefault();
    event.stopImmediatePropagation(); /* htmx may not take over what was called off */
    askToLeave(forms, () => navigation.traverseTo(event.destination.key));
  });
  addEventListener("beforeunload", (event) => {
    if (!unsaved(document).length) return;
    event.preventDefault();
    setTimeout(calledOff); /* whoever is still here has stayed */
  });

  /* The first event of all: the zone of whoever makes it is a better guess than none. */
  function guessZone() {
    const field = document.querySelector("[data-guess-zone]"), zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (field && [...field.list.options].some((option) => option.value === zone)) field.value = zone;
  }
  document.readyState === "loading" ? on("DOMContentLoaded", guessZone) : guessZone();
})();
