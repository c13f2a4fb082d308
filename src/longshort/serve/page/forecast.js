// A forecaster: choose or paste a series, see its fan, add values as they come.

import { el, labelled, status } from "./dom.js";
import { Session } from "./ask.js";
import { fan } from "./fan.js";

// Known values beside a forecast: so many times its horizon, within bounds.
const TIMES = 6, LEAST = 60, MOST = 500;

export function build(run) {
  const { about } = run;
  const session = new Session(`/runs/${run.name}/session`);
  const series = el("select", {}, about.series.map((name) => el("option", {}, name)));
  const pasted = el("textarea", { placeholder: about.whole_numbers ? "0, 12.3\n1, 12.9\n…" : "2025-01-01, 12.3\n2025-01-02, 12.9\n…", spellcheck: "false" });
  const file = el("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv,text/plain" });
  const value = el("input", { type: "number", step: "any", required: true });
  const told = status(), picture = el("div", {});

  async function show(message, what) {
    told.say("Computing …");
    try {
      const answer = await session.ask({ ...message, history: Math.min(MOST, Math.max(LEAST, TIMES * about.horizon)) });
      picture.replaceChildren(fan(answer));
      told.say(`${what} The forecast goes ${answer.times.length} steps ahead, ${about.frequency}.`);
    } catch (error) { told.fail(error); }
  }
  const known = () => show({ id: series.value, restart: true }, `The series ${series.value}, as the run knows it.`);
  const own = () => {
    try {
      const { start, y } = parse(pasted.value, about.whole_numbers);
      show({ id: "pasted", restart: true, start, y }, `${y.length} values of yours.`);
    } catch (error) { told.fail(error); }
  };
  series.addEventListener("change", known);
  file.addEventListener("change", async () => { pasted.value = await file.files[0].text(); own(); });
  known();

  return [
    el("div", { class: "row" }, labelled("Series ", series, false), el("button", { type: "button", onclick: known }, "Forecast it")),
    told, picture,
    el("form", { class: "row", onsubmit: (event) => { event.preventDefault(); show({ y: [Number(value.value)] }, "One value more."); value.value = ""; value.focus(); } },
      labelled("A new value has come: ", value, false), el("button", {}, "Add it")),
    labelled("Or a series of your own: a time and a value on each line (CSV), the steps as far apart as in the training", pasted),
    el("div", { class: "row" }, el("button", { type: "button", class: "main", onclick: own }, "Forecast these values"), labelled("or a file: ", file, false)),
  ];
}

/** Lines of time and value, or of values alone; a heading is skipped, what is no number is missing. */
export function parse(text, whole) {
  const rows = text.trim().split(/\r?\n/).map((line) => line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"|"$/g, "")));
  const number = (cell) => (cell !== undefined && cell !== "" && Number.isFinite(Number(cell)) ? Number(cell) : null);
  if (rows.length && rows[0].every((cell) => number(cell) === null)) rows.shift();
  if (!rows.length || rows.every((row) => row.every((cell) => !cell))) throw new Error("Paste some values first, one on each line.");
  const y = rows.map((row) => number(row.at(-1)));
  if (y.every((v) => v === null)) throw new Error("The last column holds no numbers.");
  const first = rows[0].length > 1 ? rows[0][0] : undefined;
  const start = first === undefined ? undefined : whole ? Number(first) : first.replace(" ", "T");
  return { start, y };
}
