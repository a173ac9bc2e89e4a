"use strict";
// Tables: a press on a heading sorts, another one turns the order around. Empty cells stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const first = heading.dataset.first || "descending";
      const other = first === "descending" ? "ascending" : "descending";
      const order = heading.getAttribute("aria-sort") === first ? other : first;
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const value = (row) => row.cells[column].dataset.value;
      const rows = [...body.rows];
      rows.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        if (heading.dataset.type === "text") return sign * x.localeCompare(y);
        return sign * (Number(x) - Number(y));
      });
      body.append(...rows);
    });
  });
}
// The gallery: cards are hidden unless they are of the kind, and have the label with the outcome.
const gallery = document.getElementById("cards");
if (gallery) {
  const kind = document.getElementById("kind");
  const label = document.getElementById("label");
  const outcome = document.getElementById("outcome");
  const count = document.getElementById("count");
  const fits = (card) => {
    if (kind.value && card.dataset.kind !== kind.value) return false;
    if (!label.value && !outcome.value) return true;
    return card.dataset.outcomes.split(" ").some((each) => {
      const [what, index] = each.split(":");
      return (!label.value || index === label.value) && (!outcome.value || what === outcome.value);
    });
  };
  const filter = () => {
    let shown = 0;
    for (const card of gallery.children) {
      card.hidden = !fits(card);
      shown += !card.hidden;
    }
    count.textContent = `${shown} of ${gallery.children.length} images`;
  };
  for (const control of [kind, label, outcome]) control.addEventListener("change", filter);
  filter();
  // Heat maps: a press on a label lays its map over the image.
  const lay = (button, on) => {
    const card = button.closest("li.card");
    for (const other of card.querySelectorAll("button.guess")) other.setAttribute("aria-pressed", "false");
    card.querySelectorAll(".heat").forEach((heat) => heat.remove());
    card.classList.toggle("heated", on);
    if (!on) return;
    button.setAttribute("aria-pressed", "true");
    const heat = new Image();
    heat.className = "heat";
    heat.alt = "";
    heat.src = button.dataset.heat;
    card.querySelector(".stack").append(heat);
  };
  gallery.addEventListener("click", (event) => {
    const button = event.target.closest("button.guess");
    if (button) lay(button, button.getAttribute("aria-pressed") !== "true");
  });
  const all = document.getElementById("all-heats");
  if (all) {
    all.addEventListener("click", () => {
      const on = all.getAttribute("aria-pressed") !== "true";
      all.setAttribute("aria-pressed", String(on));
      for (const card of gallery.children) {
        const button = card.querySelector("button.guess");
        if (button) lay(button, on);
      }
    });
  }
}
