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
})();
