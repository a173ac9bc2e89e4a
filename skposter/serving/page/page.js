"use strict";

const AT_A_TIME = 4;
const SHOWN = 8;
const TRIES = 6;

const byId = (id) => document.getElementById(id);
const waiting = [];
let running = 0;
let about = null;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function size(bytes) {
  return `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

// Ask the server about a file; it may say that others come first.
async function ask(path, file) {
  for (let i = 1; ; i += 1) {
    let answer;
    try {
      answer = await fetch(path, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
    } catch (error) {
      throw new Error("The server does not answer.");
    }
    if (answer.ok) return answer;
    if (answer.status !== 503 || i === TRIES) {
      const said = await answer.json().catch(() => ({}));
      throw new Error(typeof said.detail === "string" ? said.detail : `The server says ${answer.status}.`);
    }
    await pause(i);
  }
}

function bar(score) {
  const made = element("span", "bar");
  made.setAttribute("aria-hidden", "true");
  const value = element("i");
  value.style.setProperty("--p", score.probability);
  const threshold = element("b");
  threshold.style.setProperty("--t", Math.min(1, Math.max(0, score.threshold)));
  made.append(value, threshold);
  return made;
}

function row(score, card) {
  const made = element(about.heat_maps ? "button" : "div", score.predicted ? "score predicted" : "score");
  const tick = element("span", "", score.predicted ? "\u2713" : "");
  tick.setAttribute("aria-hidden", "true");
  const figure = element("span", "figure", `${(100 * score.probability).toFixed(1)} %`);
  const more = element("span", "hidden", `, threshold ${(100 * score.threshold).toFixed(1)} %, ${score.predicted ? "predicted" : "not predicted"}`);
  figure.append(more);
  made.append(tick, element("span", "what", String(score.label)), figure, bar(score));
  made.title = `threshold ${(100 * score.threshold).toFixed(1)} %`;
  if (about.heat_maps) {
    made.type = "button";
    made.setAttribute("aria-pressed", "false");
    made.addEventListener("click", () => heat(card, made, String(score.label)));
  }
  const item = element("li");
  item.append(made);
  return item;
}

async function heat(card, button, label) {
  const pressed = button.getAttribute("aria-pressed") === "true";
  card.wanted = pressed ? null : label;
  for (const each of card.item.querySelectorAll("button.score")) each.setAttribute("aria-pressed", "false");
  if (pressed) {
    show(card, card.preview, card.alt, false);
    return;
  }
  button.setAttribute("aria-pressed", "true");
  if (!card.heats.has(label)) {
    button.setAttribute("aria-busy", "true");
    try {
      const answer = await ask(`/explain?label=${encodeURIComponent(label)}`, card.file);
      card.heats.set(label, URL.createObjectURL(await answer.blob()));
    } catch (error) {
      if (card.wanted === label) button.setAttribute("aria-pressed", "false");
      card.problem.textContent = error.message;
      card.problem.hidden = false;
      return;
    } finally {
      button.removeAttribute("aria-busy");
    }
  }
  card.problem.hidden = true;
  if (card.wanted === label) show(card, card.heats.get(label), `Where the model looks for ${label}`, true);
}

function show(card, url, alt, heated) {
  card.picture.replaceChildren();
  card.picture.classList.toggle("heated", heated);
  if (url === null) {
    card.picture.append(element("span", "faint", "no preview"));
    return;
  }
  const image = element("img");
  image.alt = alt;
  image.src = url;
  image.addEventListener("error", () => {
    if (!heated) {
      card.preview = null;
      show(card, null, "", false);
    }
  });
  card.picture.append(image);
}

function makeCard(file) {
  const item = element("li", "card");
  const card = {
    file,
    item,
    preview: URL.createObjectURL(file),
    alt: file.name,
    heats: new Map(),
    wanted: null,
    picture: element("div", "picture"),
    outcome: element("p", "outcome", "Waiting\u2026"),
    problem: element("p", "outcome wrong"),
    scores: element("div"),
  };
  card.outcome.setAttribute("role", "status");
  card.problem.setAttribute("role", "alert");
  card.problem.hidden = true;
  item.append(card.picture, element("p", "name", file.name), card.outcome, card.problem, card.scores);
  show(card, card.preview, card.alt, false);
  byId("cards").prepend(item);
  item.card = card;
  return card;
}

async function predict(card) {
  card.outcome.textContent = "Looking\u2026";
  try {
    if (card.file.size > about.max_bytes) {
      throw new Error(`The file has ${size(card.file.size)}; ${size(about.max_bytes)} are the most here.`);
    }
    const answer = await (await ask("/predict", card.file)).json();
    card.outcome.textContent = answer.labels.length ? answer.labels.join(", ") : "No label";
    const first = element("ul", "scores");
    const rest = element("ul", "scores");
    answer.scores.forEach((score, i) => (i < SHOWN || score.predicted ? first : rest).append(row(score, card)));
    card.scores.replaceChildren(first);
    if (rest.children.length) {
      const details = element("details");
      details.append(element("summary", "", `${rest.children.length} more`), rest);
      card.scores.append(details);
    }
  } catch (error) {
    card.outcome.className = "outcome wrong";
    card.outcome.textContent = error.message;
  }
}

async function next() {
  if (running >= AT_A_TIME || !waiting.length) return;
  running += 1;
  await predict(waiting.shift());
  running -= 1;
  count();
  next();
}

function count() {
  const n = byId("cards").children.length;
  const left = waiting.length + running;
  byId("count").textContent = `${n} ${n === 1 ? "image" : "images"}${left ? `, ${left} to do` : ""}`;
  byId("controls").hidden = byId("legend").hidden = n === 0;
}

function take(files) {
  for (const file of files) {
    waiting.push(makeCard(file));
    next();
  }
  count();
}

function clear() {
  waiting.length = 0;
  for (const item of [...byId("cards").children]) {
    if (item.card.preview) URL.revokeObjectURL(item.card.preview);
    for (const url of item.card.heats.values()) URL.revokeObjectURL(url);
    item.remove();
  }
  count();
  byId("files").focus();
}

async function begin() {
  try {
    about = await (await fetch("/model")).json();
  } catch (error) {
    byId("about").textContent = "The server does not answer.";
    return;
  }
  const n = about.labels.length;
  byId("about").textContent = `The model knows ${n} ${n === 1 ? "label" : "labels"}, sees images at ${about.image_shape[1]} \u00d7 ${about.image_shape[0]} pixels, and runs on ${about.runtime}. Files may have ${size(about.max_bytes)}.`;
  byId("about-heat").hidden = !about.heat_maps;
  byId("files").addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = "";
  });
  byId("clear").addEventListener("click", clear);
  const drop = byId("drop");
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.remove("over");
    });
  }
  document.addEventListener("drop", (event) => take(event.dataTransfer.files));
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
  document.documentElement.dataset.ready = "true";
}

begin();
