// The page: a place for every run, and the cell under glass.

import { el } from "./dom.js";
import { get } from "./ask.js";
import { glass } from "./glass.js";

const TASKS = {
  forecast: ["./forecast.js", "Forecast"], language: ["./language.js", "Write"], classify: ["./classify.js", "Classify"],
  transcribe: ["./transcribe.js", "Transcribe"], compose: ["./compose.js", "Compose"],
  translate: ["./answer.js", "Translate"], summarize: ["./answer.js", "Summarize"], chat: ["./chat.js", "Talk"],
};

const main = document.getElementById("main");
const rooms = new Map([["cell", { title: "The cell under glass", small: "learn", build: async () => glass() }]]);

function room(run) {
  const [file, verb] = TASKS[run.task] ?? [null, run.task];
  return {
    title: run.name, small: verb.toLowerCase(),
    async build() {
      const parts = file ? await (await import(file)).build(run) : [el("p", {}, "There is nothing to try here yet; programs can ask it.")];
      return [el("h2", {}, `${verb}: ${run.name}`), el("p", { class: "lead" }, run.verdict ?? "This run was not tested on held-out data."), parts];
    },
  };
}

async function show() {
  const name = decodeURIComponent(location.hash.slice(1)) || rooms.keys().next().value;
  const chosen = rooms.get(name) ?? rooms.get("cell");
  for (const link of document.querySelectorAll("#runs a")) {
    if (link.hash === `#${encodeURIComponent(name)}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  chosen.section ??= (async () => el("section", { class: "run", "aria-label": chosen.title }, await chosen.build()))();
  main.replaceChildren(await chosen.section);
  document.title = `${chosen.title} · longshort`;
  document.documentElement.dataset.room = name;
}

try {
  const { runs } = await get("/runs");
  const cell = rooms.get("cell");
  rooms.clear();
  for (const run of runs) rooms.set(run.name, room(run));
  rooms.set(rooms.has("cell") ? "the cell" : "cell", cell);
} catch (error) {
  main.append(el("p", { class: "status wrong", role: "alert" }, error.message));
}
document.getElementById("runs").append(...[...rooms].map(([name, { title, small }]) =>
  el("li", {}, el("a", { href: `#${encodeURIComponent(name)}` }, title, " ", el("small", {}, small)))));
addEventListener("hashchange", show);
await show();
