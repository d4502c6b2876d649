// Keyboard shortcuts of every page. Every page works without this file.
"use strict";

const typing = (target) => target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select") !== null;

document.addEventListener("DOMContentLoaded", () => {
  // Whoever signs out leaves nothing in this tab: an edit that the server does not have yet is kept there.
  document.querySelector("form[action='/sign-out']")?.addEventListener("submit", () => {
    try { window.sessionStorage.clear(); } catch { /* denied inside a frame of another site: nothing was kept */ }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (typing(event.target)) return;
    if (event.key === "/") { event.preventDefault(); document.getElementById("search")?.focus(); }
    else if (event.key === "?") { window.location.assign("/help"); }
  });
});
