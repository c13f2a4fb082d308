// A classifier: the class of a text, and which words weighed; or of a sequence of numbers.

import { bars, el, labelled, percent, shaded, status } from "./dom.js";
import { post } from "./ask.js";

export function build(run) {
  const { kind, classes, channels, example } = run.about;
  const texts = kind === "texts";
  const input = el("textarea", { placeholder: texts ? "Type or paste a text …" : `${channels.join(", ")}\n0.1, 0.2, …`, spellcheck: texts ? "true" : "false" });
  if (example) input.value = example;
  const told = status(), shown = el("div", {});

  async function judge() {
    told.say("Reading …");
    try {
      const text = input.value.trim().normalize("NFC");
      const body = texts ? { texts: [text] } : { sequences: [numbers(text, channels.length)] };
      const { answers: [{ label, probabilities, parts }] } = await post(`/runs/${run.name}/predict`, body);
      told.say(`${label}, with a probability of ${percent(probabilities[label])}.`);
      const ranked = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, 12);
      const most = Math.max(...parts.map((part) => part.share), 1e-9);
      const stretches = parts.map(({ begin, end, share }) => ({ begin, end, weight: share / most }));
      const heaviest = [...parts].sort((a, b) => b.share - a.share).slice(0, 5);
      shown.replaceChildren(el("h3", {}, "Probabilities"), bars(ranked, "Classes"),
        ...(texts ? [el("h3", {}, "Which words weighed"), shaded(text, stretches, "var(--i)", (weight) => percent(weight * most)),
          el("p", { class: "lead" }, "The deeper the colour, the more a word weighed: ",
            heaviest.map((part) => `${text.slice(part.begin, part.end)} (${percent(part.share)})`).join(", "), ". This is where the network looks, not why.")] : []));
    } catch (error) { told.fail(error); shown.replaceChildren(); }
  }
  return [
    labelled(texts ? "A text" : "A sequence: a step on each line, a number for every channel", input),
    el("div", { class: "row" }, el("button", { type: "button", class: "main", onclick: judge }, "Classify"), el("span", { class: "lead" }, `It knows ${classes.length} classes: ${classes.slice(0, 8).join(", ")}${classes.length > 8 ? ", …" : ""}.`)),
    told, shown,
  ];
}

function numbers(text, channels) {
  const rows = text.split(/\r?\n/).map((line) => line.split(/[,;\t ]+/).filter((cell) => cell !== ""));
  if (rows.length && rows[0].every((cell) => Number.isNaN(Number(cell)))) rows.shift();
  return rows.map((row, k) => {
    if (row.length !== channels) throw new Error(`Line ${k + 1} has ${row.length} numbers, there are ${channels} channels.`);
    return row.map((cell) => (Number.isFinite(Number(cell)) ? Number(cell) : null));
  });
}
