// Gates and states of a layer as a map: a row for each unit, a column for each token.

import { el, labelled } from "./dom.js";

const NAMES = { i: "input gate i", f: "forget gate f", g: "candidate g", o: "output gate o", c: "cell state c", h: "hidden state h", r: "reset gate r", z: "update gate z", n: "candidate n" };
const GATES = ["i", "f", "o", "r", "z"];
const WIDTH = 9, HEIGHT = 6, MOST = 200;

export class Gates {
  constructor(layer) {
    this.values = {};
    this.labels = [];
    this.which = el("select", {});
    this.which.addEventListener("change", () => this.draw());
    this.canvas = el("canvas", { role: "img", "aria-label": "Gates: nothing was typed yet" });
    this.note = el("figcaption", {});
    this.box = el("figure", {}, el("div", { class: "row" }, labelled("Show the ", this.which, false), labelled("of ", layer, false)),
      el("div", { class: "wide", tabindex: "0" }, this.canvas), this.note);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Put the gates of new tokens behind those of the tokens before `begin`. */
  add({ begin, tokens, gates }, on) {
    for (const [name, rows] of Object.entries(gates)) this.values[name] = [...(on ? (this.values[name] ?? []).slice(0, begin) : []), ...rows];
    this.labels = [...(on ? this.labels.slice(0, begin) : []), ...tokens];
    if (!tokens.length && !on) this.values = {};
    const names = Object.keys(this.values);
    if (names.length && this.which.options.length !== names.length) {
      this.which.replaceChildren(...names.map((name) => el("option", { value: name }, NAMES[name] ?? name)));
      this.which.value = names.includes("f") ? "f" : names[0];
    }
    this.draw();
  }

  draw() {
    const name = this.which.value, all = this.values[name] ?? [];
    const rows = all.slice(-MOST), units = rows[0]?.length ?? 0;
    const ratio = devicePixelRatio || 1, width = Math.max(rows.length * WIDTH, 1), height = Math.max(units * HEIGHT, 1);
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px`, maxWidth: "none" });
    if (!units) { this.note.textContent = "Nothing was typed yet."; return; }
    const css = getComputedStyle(document.documentElement), colour = (v) => css.getPropertyValue(v).trim();
    const gate = GATES.includes(name), reach = gate ? 1 : Math.max(...rows.flat().map(Math.abs), 1e-6);
    const [low, high, minus, plus] = ["--low", "--high", "--minus", "--plus"].map(colour).map(channels);
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    rows.forEach((values, column) => values.forEach((value, row) => {
      const share = Math.min(1, Math.abs(value) / reach), to = gate ? high : value < 0 ? minus : plus;
      context.fillStyle = `rgb(${low.map((from, k) => Math.round(from + (to[k] - from) * share)).join(",")})`;
      context.fillRect(column * WIDTH, row * HEIGHT, WIDTH, HEIGHT);
    }));
    const last = rows.at(-1), average = last.reduce((a, b) => a + b, 0) / units;
    const told = `${NAMES[name] ?? name} of ${units} units over ${rows.length} tokens; at the last one, ${this.labels.at(-1)}, ${average.toFixed(2)} on average`;
    this.canvas.setAttribute("aria-label", told);
    this.canvas.parentElement.scrollLeft = this.canvas.parentElement.scrollWidth;
    this.note.textContent = `A row for each unit, a column for each token, the newest on the right. ${gate ? "Pale is shut (0), deep is open (1)." : "Pale is 0; one colour for values below, another for those above."} ${told}.`;
  }
}

const channels = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
