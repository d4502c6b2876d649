// Keyboard shortcuts, and sources lit by the sentence under the cursor. Every page works without this file.
"use strict";

const typing = (target) => target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select") !== null;

function lightSources(draft) {
  const light = (event) => {
    const sentence = event.target.closest("[data-cites]");
    if (sentence === null) return;
    const cited = sentence.dataset.cites.split(" ");
    for (const source of document.querySelectorAll("[data-source]")) {
      const lit = cited.includes(source.dataset.source);
      source.classList.toggle("lit", lit);
      if (lit) source.closest("details")?.setAttribute("open", "");
      if (lit && event.type === "focusin") source.scrollIntoView({ block: "nearest" });
    }
  };
  draft.addEventListener("pointerover", light);
  draft.addEventListener("focusin", light);
}

function countSeconds(form) {
  let active = 0;
  let since = document.hidden ? null : performance.now();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && since !== null) { active += performance.now() - since; since = null; }
    else if (!document.hidden && since === null) { since = performance.now(); }
  });
  form.addEventListener("submit", () => {
    const total = active + (since === null ? 0 : performance.now() - since);
    form.querySelector("[data-seconds]").value = (total / 1000).toFixed(3);
  });
}

// What was typed and not sent is lost only if the person says so; it is kept nowhere else, because it holds PHI.
function guardText(form) {
  const text = form.querySelector("textarea");
  let sending = false;
  form.addEventListener("submit", () => { sending = true; });
  window.addEventListener("beforeunload", (event) => {
    if (!sending && text.value !== text.defaultValue) event.preventDefault();
  });
}

function reviewKeys(form) {
  const press = (action) => form.querySelector(`button[value=${action}]`).click();
  const editor = form.querySelector("[data-edit]");
  const reasons = () => form.querySelector("[data-reason]:checked");
  const text = form.querySelector("textarea");
  const edit = () => {
    if (editor.open && text.value !== text.defaultValue) { press("edit"); return; }
    editor.open = true;
    text.focus();
  };
  const reject = () => {
    if (reasons() !== null) press("reject");
    else form.querySelector("[data-reason]").focus();
  };
  const flagged = [...form.querySelectorAll("[data-flagged]")];
  const step = (by) => {
    if (flagged.length === 0) return;
    const at = flagged.indexOf(document.activeElement);
    const next = flagged[at < 0 ? (by > 0 ? 0 : flagged.length - 1) : (at + by + flagged.length) % flagged.length];
    next.focus();
    next.scrollIntoView({ block: "center" });
  };
  return { a: () => press("accept"), e: edit, r: reject, n: () => step(1), p: () => step(-1) };
}

document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("[data-review]");
  const keys = form === null ? {} : reviewKeys(form);
  if (form !== null) {
    lightSources(form.querySelector("[data-draft]"));
    countSeconds(form);
    guardText(form);
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (typing(event.target)) return;
    if (event.key === "/") { event.preventDefault(); document.getElementById("search")?.focus(); }
    else if (event.key === "?") { window.location.assign("/help"); }
    else if (Object.hasOwn(keys, event.key)) { event.preventDefault(); keys[event.key](); }
    else if (form !== null && /^[1-5]$/.test(event.key)) {
      const reason = form.querySelector(`[data-reason="${event.key}"]`);
      if (reason !== null) { reason.checked = true; reason.focus(); }
    }
  });
});
