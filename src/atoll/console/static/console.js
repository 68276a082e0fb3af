// What HTML alone cannot: asking before an act, copying, submitting on change, keys, and saying whether pages are live.
"use strict";
document.documentElement.classList.add("js");

const find = (selector, within = document) => within.querySelector(selector);

// Forms of this page; not in their attributes, which a page that is live takes from the server's.
let sure = new WeakSet(), sent = new WeakSet();

// Ask before an act that cannot be undone.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = form.dataset.sure;
  if (!question || sure.has(form)) return;
  event.preventDefault();
  const dialog = find("#sure");
  find("#sure-text").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "yes") return;
    sure.add(form);
    form.requestSubmit(event.submitter);
  }, { once: true });
});

// No form is sent twice by a second click.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  if (sent.has(event.target)) return event.preventDefault();
  sent.add(event.target);
});
addEventListener("pageshow", () => { sent = new WeakSet(); sure = new WeakSet(); });

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

document.addEventListener("click", async (event) => {
  const copier = event.target.closest("[data-copies]");
  if (copier) {
    await navigator.clipboard.writeText(find("#" + copier.dataset.copies).textContent);
    const text = copier.textContent;
    copier.textContent = copier.dataset.copied;
    setTimeout(() => { copier.textContent = text; }, 1500);
  }
  const toggler = event.target.closest("[data-toggles]");
  if (toggler) {
    const isOpen = find("#" + toggler.dataset.toggles).classList.toggle("open");
    toggler.setAttribute("aria-expanded", String(isOpen));
  }
});

// "/" goes to the filter, Escape closes the menu.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable], .screen");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = find('[data-key="/"]');
    if (field) { event.preventDefault(); field.focus(); field.select(); }
  }
  if (event.key === "Escape") {
    const menu = find(".side.open");
    if (menu) find('[data-toggles="sidebar"]').click();
  }
});

// Whether the server's events arrive.
const tell = (isLive) => document.querySelectorAll("[data-live]").forEach((element) => {
  element.classList.toggle("on", isLive);
  find("[data-on]", element).hidden = !isLive;
  find("[data-off]", element).hidden = isLive;
});
document.addEventListener("htmx:sse:after:connection", () => tell(true));
document.addEventListener("htmx:sse:error", () => tell(false));
document.addEventListener("htmx:sse:close", () => tell(false));
tell(false);

// Save the text of an element as a file.
document.addEventListener("click", (event) => {
  const saver = event.target.closest("[data-saves]");
  if (!saver) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([find("#" + saver.dataset.saves).textContent], { type: "text/plain" }));
  link.download = saver.dataset.as;
  link.click();
  URL.revokeObjectURL(link.href);
});
