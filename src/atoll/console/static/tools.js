// On the map: a click on a thing opens what is listed below for it; a click on a flow goes to its line.
"use strict";
document.addEventListener("click", (event) => {
  const flow = event.target.closest(".atoll-map [data-flow]");
  if (flow) {
    const line = document.getElementById("flow-" + flow.dataset.flow);
    if (line) line.scrollIntoView({ block: "center" });
    return;
  }
  const thing = event.target.closest(".atoll-map [data-target]");
  if (!thing) return;
  const id = thing.dataset.target;
  const links = [...document.querySelectorAll("#map .words a, main .steps a")];
  const link = links.find((one) => decodeURIComponent(one.pathname).endsWith("/" + id));
  if (link) link.click();
});
