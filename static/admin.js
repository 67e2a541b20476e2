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
})();
