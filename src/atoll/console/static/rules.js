// The rule editor: rows come and go, and what saving would do is asked while a person types.
"use strict";
{
  const form = document.querySelector("[data-checks]");
  const rows = form.querySelector("[data-rows]");
  let waiting;
  const ask = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => form.dispatchEvent(new Event("check", { bubbles: true })), 350);
  };
  const suit = (row) => {
    row.querySelector("[name=ports]").readOnly = !row.querySelector("[name=kind]").value.startsWith("custom");
  };
  form.addEventListener("input", (event) => {
    const row = event.target.closest(".rule-row");
    if (row) suit(row);
    ask();
  });
  form.addEventListener("click", (event) => {
    if (event.target.closest("[data-adds]")) {
      const made = rows.lastElementChild.cloneNode(true);
      made.querySelectorAll("input").forEach((field) => { field.value = ""; });
      rows.append(made);
      suit(made);
      made.querySelector("select").focus();
    }
    const dropped = event.target.closest("[data-drops]")?.closest(".rule-row");
    if (dropped) {
      if (rows.children.length > 1) dropped.remove();
      else dropped.querySelectorAll("input").forEach((field) => { field.value = ""; });
      ask();
    }
  });
  [...rows.children].forEach(suit);
}
