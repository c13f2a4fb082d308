// A translator or a summarizer: an answer, and where the network looked while it wrote each word.

import { el, labelled, status, svg } from "./dom.js";
import { post } from "./ask.js";

export function build(run) {
  const translate = run.task === "translate";
  const input = el("textarea", { placeholder: "Type or paste a text …" });
  if (run.about.example) input.value = run.about.example;
  const told = status(), shown = el("div", {});

  async function answer() {
    told.say("Working …");
    try {
      const { answers: [{ text, alignment }] } = await post(`/runs/${run.name}/predict`, { texts: [input.value], alignment: run.about.attention });
      told.say("");
      shown.replaceChildren(el("h3", {}, translate ? "Translation" : "Summary"), el("p", { class: "text answer", "aria-live": "polite" }, text || "(nothing)"),
        ...(alignment ? [el("h3", {}, "Where it looked"), drawn(alignment)] : []));
    } catch (error) { told.fail(error); shown.replaceChildren(); }
  }
  return [
    labelled(translate ? "A sentence" : "A text", input),
    el("div", { class: "row" }, el("button", { type: "button", class: "main", onclick: answer }, translate ? "Translate" : "Summarize")),
    told, shown,
  ];
}

const CELL = 22, LETTER = 8, MOST = 60;

function drawn({ source, answer, weights, copied }) {
  const read = source.slice(0, MOST), written = answer.slice(0, MOST);
  const longest = (words) => LETTER * Math.max(3, ...words.map((word) => cut(word).length)) + 12;
  const SIDE = longest(written), HEAD = longest(read);
  const box = [];
  read.forEach((word, k) => box.push(svg("text", { transform: `translate(${SIDE + k * CELL + 15},${HEAD - 6}) rotate(-55)` }, cut(word))));
  written.forEach((word, row) => {
    box.push(svg("text", { x: SIDE - 7, y: HEAD + row * CELL + 15, "text-anchor": "end" }, cut(word)));
    read.forEach((other, k) => box.push(svg("rect", { x: SIDE + k * CELL, y: HEAD + row * CELL, width: CELL - 1, height: CELL - 1, fill: "var(--ours)", "fill-opacity": Math.max(weights[row][k], 0.03) },
      svg("title", {}, `${word} looked at ${other}: ${Math.round(100 * weights[row][k])} %`))));
  });
  const width = SIDE + read.length * CELL + 60, height = HEAD + written.length * CELL + 4;
  const told = written.map((word, row) => `${word} looked mostly at ${read[weights[row].indexOf(Math.max(...weights[row]))]}`).join("; ");
  const share = copied.some((c) => c > 0.01) ? " Some of it was copied from the source." : "";
  return el("figure", {}, el("div", { class: "wide", tabindex: "0" }, svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `Alignment: ${told}` }, box)),
    el("figcaption", {}, `A row for each word that was written: the deeper a square, the more it looked at the word of the source above.${share}`));
}

const cut = (word) => (word.length > 14 ? `${word.slice(0, 13)}…` : word);
