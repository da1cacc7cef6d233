/* postern.js - what is convenient: live parts, questions before what can't be undone, choosing all
 *
 * All works without it. It asks our own server only, and takes nothing from anywhere but pages that this server has made: they are parsed as
 * documents (no script in them runs), and the parts are moved over, never written as markup.
 */
"use strict";

(function () {
  const PERIOD = 5000; /* ms between looks while the page is seen */
  const PATIENCE = 15000; /* ms until a look counts as unanswered */
  const AGAIN = 3000; /* ms in which a form is not sent twice */

  /* ---- live parts ---- */

  let timer = 0;
  let looking = false;
  const sources = new WeakMap(); /* of each part, as the server has written it: ours is prepared since */

  function say(text, address, label) {
    const place = document.getElementById("connection");
    if (!place || place.dataset.said === (text || "")) return;
    place.dataset.said = text || "";
    place.textContent = text || "";
    if (address) {
      const link = document.createElement("a");
      link.href = address;
      link.textContent = label;
      place.append(" ", link);
    }
  }

  /* Somebody writes in it, or has marked text in it: it must not change under their hands. */
  function isInUse(part) {
    const active = document.activeElement;
    if (active && part.contains(active) && active.matches("textarea, select, input:not([type=checkbox])")) return true;
    const selection = window.getSelection();
    return selection && !selection.isCollapsed && selection.anchorNode && part.contains(selection.anchorNode);
  }

  function boxesOf(part) {
    return Array.from(part.querySelectorAll("input[type=checkbox][name]"));
  }

  /* A way to find what had the focus in the part that takes its place. */
  function focusOf(part) {
    const active = document.activeElement;
    if (!active || !part.contains(active)) return null;
    if (active.id) return (fresh) => fresh.querySelector("#" + CSS.escape(active.id));
    const alike = (root) => Array.from(root.querySelectorAll(active.tagName)).filter((one) =>
      one.name === active.name && one.value === active.value &&
      one.getAttribute("href") === active.getAttribute("href") && one.getAttribute("aria-label") === active.getAttribute("aria-label"));
    const place = alike(part).indexOf(active);
    return (fresh) => alike(fresh)[place] || null;
  }

  function replace(part, fresh) {
    const chosen = new Set(boxesOf(part).filter((box) => box.checked).map((box) => box.name + "=" + box.value));
    const open = new Set(Array.from(part.querySelectorAll("details[id]")).filter((fold) => fold.open).map((fold) => fold.id));
    const shut = new Set(Array.from(part.querySelectorAll("details[id]")).filter((fold) => !fold.open).map((fold) => fold.id));
    const focus = focusOf(part);
    const adopted = document.adoptNode(fresh);
    for (const box of boxesOf(adopted)) if (chosen.has(box.name + "=" + box.value)) box.checked = true;
    for (const fold of adopted.querySelectorAll("details[id]")) {
      if (open.has(fold.id)) fold.open = true;
      if (shut.has(fold.id)) fold.open = false;
    }
    part.replaceWith(adopted);
    if (focus) {
      const target = focus(adopted);
      if (target) target.focus({ preventScroll: true });
    }
    prepare(adopted);
  }

  function bringUpToDate(page) {
    for (const part of document.querySelectorAll("[data-live], [data-follows]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh || isInUse(part)) continue;
      sources.set(fresh, fresh.innerHTML);
      if (sources.get(part) !== sources.get(fresh)) replace(part, fresh);
    }
  }

  async function look() {
    if (looking || document.hidden || document.querySelector("[data-still]")) return;
    looking = true;
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(), PATIENCE);
    try {
      const answer = await fetch(window.location.href, {
        cache: "no-store", credentials: "same-origin", redirect: "manual", signal: stop.signal,
      });
      if (answer.ok) {
        bringUpToDate(new DOMParser().parseFromString(await answer.text(), "text/html"));
        say("");
      } else if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) {
        say("You are signed out. What is shown here is no longer brought up to date.", "/login", "Sign in again");
      } else {
        say("The gateway has answered with an error (" + answer.status + "). What is shown here is no longer up to date.");
      }
    } catch (error) {
      say("The gateway does not answer. What is shown here is no longer up to date; it is tried again every few seconds.");
    } finally {
      clearTimeout(late);
      looking = false;
    }
  }

  function watch() {
    clearInterval(timer);
    timer = 0;
    if (document.hidden || !document.querySelector("[data-live]")) return;
    timer = setInterval(look, PERIOD);
  }

  /* ---- choosing several ---- */

  /* A field may be called "id", and hides the form's own then: so attributes are asked for. */
  function countChosen(form) {
    const count = form.querySelectorAll("input.choose:checked").length;
    for (const place of document.querySelectorAll("[data-chosen]"))
      if (place.dataset.chosen === form.getAttribute("id")) place.textContent = count === 0 ? "None chosen" : count + " chosen";
    for (const all of form.querySelectorAll("input.choose-all")) {
      const boxes = form.querySelectorAll("input.choose").length;
      all.checked = count > 0 && count === boxes;
      all.indeterminate = count > 0 && count < boxes;
    }
  }

  function addChooseAll(table) {
    const place = table.querySelector("thead th");
    if (!place || place.querySelector("input") || !table.querySelector("input.choose")) return;
    const all = document.createElement("input");
    all.type = "checkbox";
    all.className = "choose-all";
    all.setAttribute("aria-label", "Choose all");
    place.replaceChildren(all);
  }

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || !box.form) return;
    if (box.classList.contains("choose-all"))
      for (const one of box.form.querySelectorAll("input.choose")) one.checked = box.checked;
    if (box.classList.contains("choose") || box.classList.contains("choose-all")) countChosen(box.form);
  });

  /* ---- sending ---- */

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = (event.submitter && event.submitter.dataset.confirm) || form.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    if (form.getAttribute("method") !== "post") return;
    const now = Date.now();
    if (now - Number(form.dataset.sent || 0) < AGAIN) event.preventDefault();
    else form.dataset.sent = String(now);
  });

  /* ---- times ---- */

  /* Pages show UTC; where the reader is is told beside it. */
  function prepare(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
    }
    for (const table of root.querySelectorAll("table")) addChooseAll(table);
    const forms = new Set(Array.from(root.querySelectorAll("input.choose"), (box) => box.form));
    for (const form of forms) if (form) countChosen(form);
  }

  /* On a phone the row of pages is longer than the screen. */
  function showPlace() {
    const here = document.querySelector(".places [aria-current]");
    const row = here && here.closest(".places");
    if (row) row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;
  }

  function begin() {
    showPlace();
    for (const part of document.querySelectorAll("[data-live], [data-follows]")) sources.set(part, part.innerHTML);
    prepare(document);
    watch();
  }

  document.addEventListener("visibilitychange", () => {
    watch();
    if (timer) look();
  });
  window.addEventListener("online", look);
  begin();
})();
