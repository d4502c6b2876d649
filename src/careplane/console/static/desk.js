// The desk: a cursor over sentences whose sources light up, a live diff, an edit that is kept as it is typed, time and
// clicks. Reading, editing and signing work without this file.
"use strict";

const IDLE_MS = 60000;
const SAVE_MS = 700;
const RETRY_MS = [1000, 2000, 5000, 10000, 20000];
const MOST_WORDS = 1500;

/* Browsers deny storage inside a frame of another site; then the server alone keeps what is typed. */
const tabStorage = (() => {
  try { return window.sessionStorage; } catch { return { getItem: () => null, setItem: () => {}, removeItem: () => {} }; }
})();

/* The words that differ: the longest common subsequence over words and the spaces between them. */
function wordDiff(before, after) {
  const cut = (text) => text.match(/\s+|[^\s]+/g) ?? [];
  let [a, b] = [cut(before), cut(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const same = (part) => (part.length === 0 ? [] : [["same", part.join("")]]);
  const head = same(a.slice(0, start));
  const tail = same(end === 0 ? [] : a.slice(-end));
  a = a.slice(start, a.length - end);
  b = b.slice(start, b.length - end);
  if (a.length > MOST_WORDS || b.length > MOST_WORDS) {
    return [...head, ["del", a.join("")], ["ins", b.join("")], ...tail].filter((part) => part[1] !== "");
  }
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i * width + j] = a[i] === b[j]
        ? length[(i + 1) * width + j + 1] + 1
        : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  const middle = [];
  const add = (kind, word) => {
    if (middle.length > 0 && middle[middle.length - 1][0] === kind) middle[middle.length - 1][1] += word;
    else middle.push([kind, word]);
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { add("same", a[i]); i += 1; j += 1; }
    else if (j < b.length && (i === a.length || length[i * width + j + 1] > length[(i + 1) * width + j])) { add("ins", b[j]); j += 1; }
    else { add("del", a[i]); i += 1; }
  }
  return [...head, ...middle, ...tail];
}

function showDiff(form) {
  const original = form.querySelector("[data-original]").content.textContent;
  const text = form.querySelector("textarea[name=final_text]");
  const place = form.querySelector("[data-diff]");
  const told = form.querySelector("[data-changed]");
  const draw = () => {
    const parts = wordDiff(original, text.value);
    const changed = parts.filter((part) => part[0] !== "same");
    const words = (kind) => changed.filter((part) => part[0] === kind)
      .reduce((sum, part) => sum + (part[1].match(/\S+/g) ?? []).length, 0);
    told.textContent = changed.length === 0 ? "Nothing yet." : `${words("del")} words out, ${words("ins")} in.`;
    place.replaceChildren(...parts.map(([kind, words]) => {
      if (kind === "same") return document.createTextNode(words);
      const mark = document.createElement(kind);
      mark.textContent = words;
      return mark;
    }));
  };
  let waits = 0;
  text.addEventListener("input", () => { window.clearTimeout(waits); waits = window.setTimeout(draw, 120); });
  draw();
  return draw;
}

/* Active time ends a minute after the last sign of a person, and while the page is hidden. */
function countTime(form) {
  const seconds = form.querySelector("[data-seconds]");
  const clicks = form.querySelector("[data-clicks]");
  let active = Number(seconds.dataset.before) * 1000;
  let count = Number(clicks.dataset.before);
  let last = performance.now();
  const tick = () => {
    const now = performance.now();
    if (!document.hidden) active += Math.min(now - last, IDLE_MS);
    last = now;
  };
  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel", "scroll"]) {
    document.addEventListener(kind, tick, { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () => { if (document.hidden) tick(); else last = performance.now(); });
  document.addEventListener("pointerdown", () => { count += 1; }, { capture: true });
  const write = () => { tick(); seconds.value = (active / 1000).toFixed(3); clicks.value = String(count); };
  return { write, command: () => { count += 1; } };
}

/* What is typed is kept by the server, and in this tab until the server has it: a slow or lost network loses nothing. */
function keepEdit(form, time, redraw) {
  const run = form.dataset.review;
  const local = `careplane-edit-${run}`;
  const status = form.querySelector("[data-kept]");
  const number = form.querySelector("[data-n]");
  const text = form.querySelector("textarea[name=final_text]");
  const fields = () => ({
    final_text: text.value,
    reason: form.querySelector("[data-reason]:checked")?.value ?? "",
    comment: form.querySelector("[name=comment]").value,
  });
  let kept = JSON.stringify(fields());
  let timer = 0;
  let failures = 0;
  let under_way = null;
  const dirty = () => JSON.stringify(fields()) !== kept;
  const say = (words, bad) => { status.textContent = words; status.classList.toggle("wrong", bad === true); };

  const send = async () => {
    const now = fields();
    const n = Math.max(Date.now(), Number(number.value) + 1);
    time.write();
    const body = new URLSearchParams({
      csrf: form.querySelector("[name=csrf]").value, n: String(n), ...now,
      seconds: form.querySelector("[data-seconds]").value, clicks: form.querySelector("[data-clicks]").value,
    });
    const answer = await fetch(`/review/${run}/edit`, { method: "POST", body, signal: AbortSignal.timeout(15000) });
    if (answer.status === 409) return "This draft was reviewed meanwhile. Reload to see what happened.";
    if (answer.redirected) return "You are signed out. Sign in in another tab; your text is kept in this one.";
    if (answer.status === 401) return "This launch has ended. Copy your text, then launch again from the EHR.";
    if (answer.status === 403) return "Your sign-in has changed. Copy your text, then reload.";
    if (!answer.ok) throw new Error(String(answer.status));
    const told = await answer.json();
    number.value = String(told.n);
    kept = JSON.stringify(now);
    tabStorage.removeItem(local);
    failures = 0;
    say(`Kept at ${told.at}.`);
    return "";
  };

  /* One save at a time; says whether the server has what is typed. ``anyway`` asks it even when nothing is new. */
  const save = async (anyway) => {
    window.clearTimeout(timer);
    if (under_way !== null) await under_way;
    if (!dirty() && anyway !== true) return true;
    say(anyway === true ? "Signing…" : "Keeping…");
    under_way = send().then((trouble) => { if (trouble !== "") { say(trouble, true); return false; } return !dirty(); })
      .catch(() => {
        const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];
        failures += 1;
        say(`No connection. Your text is kept in this tab; trying again in ${wait / 1000} s.`, true);
        timer = window.setTimeout(save, wait, false);
        return false;
      });
    const done = await under_way;
    under_way = null;
    return done;
  };

  const changed = () => {
    if (!dirty()) return;
    tabStorage.setItem(local, JSON.stringify({ ...fields(), n: Date.now() }));
    if (failures > 0) return;
    window.clearTimeout(timer);
    timer = window.setTimeout(save, SAVE_MS, false);
  };
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  window.addEventListener("online", () => save(false));

  const left = tabStorage.getItem(local);
  if (left !== null) {
    const mine = JSON.parse(left);
    if (mine.n > Number(number.value)) {
      text.value = mine.final_text;
      form.querySelector("[name=comment]").value = mine.comment;
      for (const reason of form.querySelectorAll("[data-reason]")) reason.checked = reason.value === mine.reason;
      if (text.value !== text.defaultValue) form.querySelector("[data-edit]").open = true;
      redraw();
      say("What you typed in this tab was taken up again.");
      save(false);
    } else {
      tabStorage.removeItem(local);
    }
  }

  let leaving = false;
  window.addEventListener("beforeunload", (event) => { if (!leaving && dirty()) event.preventDefault(); });
  return { save, dirty, leave: () => { leaving = true; tabStorage.removeItem(local); }, say, said: () => status.textContent };
}

/* Before the browser leaves to sign, the server has to have what is typed: otherwise the page stays, with all of it. */
function signSafely(form, time, edit) {
  let sending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    const there = await edit.save(true);
    if (!there) {
      sending = false;
      edit.say(`Nothing was signed. ${edit.said()}`, true);
      return;
    }
    const action = document.createElement("input");
    action.type = "hidden";
    action.name = "action";
    action.value = event.submitter?.value ?? "";
    form.append(action);
    time.write();
    edit.leave();
    form.submit();
  });
}

/* The cursor: a sentence in focus lights its sources; Enter opens the first, Escape comes back. */
function cursor(form, say) {
  const sentences = [...form.querySelectorAll(".sentence")];
  const sources = [...document.querySelectorAll("[data-source]")];
  let at = null;
  const cited = (sentence) => (sentence?.dataset.cites ?? "").split(" ").filter(Boolean);
  const light = (sentence, scroll) => {
    const wanted = cited(sentence);
    for (const source of sources) {
      const lit = wanted.includes(source.dataset.source);
      source.classList.toggle("lit", lit);
      if (lit) source.closest("details:not(.resource)")?.setAttribute("open", "");
      if (lit && scroll) source.scrollIntoView({ block: "nearest" });
    }
  };
  const come = (sentence) => {
    at = sentence;
    for (const one of sentences) one.classList.toggle("lit", one === sentence);
    light(sentence, true);
    const labels = sources.filter((source) => cited(sentence).includes(source.dataset.source))
      .map((source) => `source ${source.dataset.source}, ${source.dataset.label}`);
    say.textContent = `Sentence ${sentences.indexOf(sentence) + 1} of ${sentences.length}: ${labels.join("; ") || "cites no source"}.`;
  };
  for (const sentence of sentences) {
    sentence.addEventListener("focusin", () => come(sentence));
    sentence.addEventListener("click", (event) => { if (event.target.closest("a") === null) sentence.focus(); });
    sentence.addEventListener("pointerenter", () => light(sentence, false));
    sentence.addEventListener("pointerleave", () => light(at, false));
  }
  const go = (sentence) => { sentence?.focus(); sentence?.scrollIntoView({ block: "nearest" }); };
  const step = (by, among = sentences) => {
    if (among.length === 0) return;
    const here = among.indexOf(document.activeElement.closest?.(".sentence") ?? at);
    go(among[here < 0 ? (by > 0 ? 0 : among.length - 1) : (here + by + among.length) % among.length]);
  };
  const open = () => {
    const source = sources.find((one) => cited(at).includes(one.dataset.source));
    if (source === undefined) return;
    const resource = source.querySelector("details.resource");
    resource.open = true;
    resource.querySelector("summary").focus();
    source.scrollIntoView({ block: "nearest" });
  };
  const back = () => { if (at !== null && document.activeElement.closest("[data-source]") !== null) { go(at); return true; } return false; };
  const flagged = sentences.filter((one) => "flagged" in one.dataset);
  return { step, open, back, note: (by) => { step(by, flagged); document.activeElement.scrollIntoView({ block: "center" }); } };
}

function deskKeys(form, time, move, edit) {
  const press = (action) => form.querySelector(`button[value=${action}]`).click();
  const editor = form.querySelector("[data-edit]");
  const text = form.querySelector("textarea[name=final_text]");
  const original = form.querySelector("[data-original]").content.textContent;
  const commands = {
    a: () => press("accept"),
    e: () => { if (editor.open && text.value !== original) { press("edit"); return; } editor.open = true; text.focus(); },
    r: () => { if (form.querySelector("[data-reason]:checked") !== null) press("reject"); else form.querySelector("[data-reason]").focus(); },
    n: () => move.note(1), p: () => move.note(-1),
    j: () => move.step(1), k: () => move.step(-1), ArrowDown: () => move.step(1), ArrowUp: () => move.step(-1),
    o: move.open,
    "!": () => form.querySelector("[data-problem]").click(),
    "?": () => document.querySelector("[data-keys]").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("[data-keys]").open) return;
    if (event.key === "Escape" && !typing(event.target) && move.back()) { event.preventDefault(); return; }
    if (typing(event.target)) return;
    const radio = event.target.matches("input[type=radio]");
    if (event.key === "Enter" && event.target.matches(".sentence")) { event.preventDefault(); time.command(); move.open(); return; }
    if (/^[1-5]$/.test(event.key)) {
      const reason = form.querySelector(`[data-reason="${event.key}"]`);
      if (reason !== null) { time.command(); reason.checked = true; reason.focus(); reason.dispatchEvent(new Event("change", { bubbles: true })); }
    } else if (Object.hasOwn(commands, event.key) && !(radio && event.key.startsWith("Arrow"))) {
      event.preventDefault();
      event.stopImmediatePropagation();
      time.command();
      commands[event.key]();
    }
  }, { capture: true });
  document.querySelector("[data-help]").addEventListener("click", commands["?"]);
}

document.addEventListener("DOMContentLoaded", () => {
  const amended = document.querySelector("[data-amend]");
  if (amended !== null) showDiff(amended);
  const form = document.querySelector("[data-review]");
  if (form === null) return;
  const redraw = showDiff(form);
  const time = countTime(form);
  const edit = keepEdit(form, time, redraw);
  const move = cursor(form, document.querySelector("[data-say]"));
  signSafely(form, time, edit);
  deskKeys(form, time, move, edit);
});
