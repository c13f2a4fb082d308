// The cell under glass: one LSTM cell and a plain recurrent unit, step by step, with sliders for their weights.

import { el, labelled, svg } from "./dom.js";
import { GATES, kept, run } from "./recurrence.js";

const STEPS = 30;
const GATE_NAMES = { i: "Input gate i", f: "Forget gate f", g: "Candidate g", o: "Output gate o" };
const PARTS = { x: "weight of x", h: "weight of h", b: "bias" };
const INPUTS = {
  "one pulse, then nothing": (t) => (t === 1 ? 1 : 0),
  "a pulse, and its opposite later": (t) => (t === 1 ? 1 : t === 16 ? -1 : 0),
  "a pulse every five steps": (t) => (t % 5 === 1 ? 1 : 0),
  "up and down": (t) => Math.sin(t / 2),
};
const CELLS = {
  "remembers": { i: [8, 0, -4], f: [0, 0, 5], g: [2, 0, 0], o: [0, 0, 3] },
  "forgets": { i: [8, 0, -4], f: [0, 0, 0.4], g: [2, 0, 0], o: [0, 0, 3] },
  "is reset by a negative input": { i: [8, 0, -4], f: [9, 0, 5], g: [2, 0, 0], o: [0, 0, 3] },
  "adds up (c grows)": { i: [0, 0, 4], f: [0, 0, 6], g: [1, 0, 0], o: [0, 0, 3] },
};
const WIDTH = 620, HEIGHT = 120, LEFT = 34, TOP = 10, BOTTOM = 18;

export function glass() {
  const lstm = Object.fromEntries(GATES.map((gate) => [gate, {}])), rnn = { x: 2, h: 0.9, b: 0 };
  const sliders = new Map();
  let step = 1, inputs = [], steps = [], playing = null;

  const cells = el("select", { id: "glass-cell" }, Object.keys(CELLS).map((name) => el("option", {}, name)));
  const kinds = el("select", { id: "glass-input" }, Object.keys(INPUTS).map((name) => el("option", {}, name)));
  const place = el("input", { type: "range", id: "glass-step", min: 0, max: STEPS - 1, step: 1, value: step });
  const equations = el("div", { class: "equations", id: "glass-equations", tabindex: "0", "aria-label": "The equations at this step" });
  const pictures = el("div", {}), keep = el("p", { class: "keep", id: "glass-kept", "aria-live": "polite" });
  const play = el("button", { type: "button", "aria-pressed": "false" }, "Play");

  function slider(owner, part, name, colour) {
    const input = el("input", { type: "range", min: -10, max: 10, step: 0.1, value: owner[part], id: `glass-${name}-${part}`, "aria-label": `${name}, ${PARTS[part]}` });
    const output = el("output", { for: input.id });
    const shown = { set(value) { owner[part] = value; input.value = value; output.textContent = value.toFixed(1); input.setAttribute("aria-valuetext", value.toFixed(1)); } };
    shown.set(owner[part] ?? 0);
    input.addEventListener("input", () => { shown.set(Number(input.value)); compute(); });
    sliders.set(`${name}-${part}`, shown);
    return el("div", { class: "slider" }, el("label", { for: input.id }, PARTS[part]), input, output);
  }
  const group = (owner, name, title) => el("fieldset", {}, el("legend", {}, title), Object.keys(PARTS).map((part) => slider(owner, part, name)));
  const groups = [...GATES.map((gate) => group(lstm[gate], gate, GATE_NAMES[gate])), group(rnn, "rnn", "Plain unit beside it")];

  function preset() {
    for (const [gate, values] of Object.entries(CELLS[cells.value])) ["x", "h", "b"].forEach((part, k) => sliders.get(`${gate}-${part}`).set(values[k]));
    compute();
  }
  function compute() {
    inputs = Array.from({ length: STEPS }, (_, t) => INPUTS[kinds.value](t));
    steps = run(lstm, rnn, inputs);
    pictures.replaceChildren(
      chart("What comes in", [["x", "var(--truth)", (s) => s.x]]),
      chart("The gates: 0 is shut, 1 is open (the candidate g lies between −1 and 1)", [["i", "var(--i)", (s) => s.lstm.i], ["f", "var(--f)", (s) => s.lstm.f], ["g", "var(--g)", (s) => s.lstm.g], ["o", "var(--o)", (s) => s.lstm.o]]),
      chart("What the LSTM keeps: its cell state c, and what it says, h", [["c", "var(--ours)", (s) => s.lstm.c], ["h", "var(--truth)", (s) => s.lstm.h]]),
      chart("What the plain unit keeps: its state h", [["h", "var(--rnn)", (s) => s.rnn.h]]));
    look();
  }
  function look() {
    place.value = step;
    place.setAttribute("aria-valuetext", `step ${step}`);
    const { x, lstm: now, rnn: unit } = steps[step], before = step ? steps[step - 1] : { lstm: { c: 0, h: 0 }, rnn: { h: 0 } };
    const sum = (gate) => `${n(lstm[gate].x)}·${n(x)} + ${n(lstm[gate].h)}·${n(before.lstm.h)} + ${n(lstm[gate].b)}`;
    const line = (key, colour, text) => el("div", {}, el("span", { class: "key", style: { borderColor: colour } }), `${key} = ${text} = `, el("b", { "data-name": key, "data-value": key === "h (plain)" ? unit.h : now[key.replace("′", "")] }, n(key === "h (plain)" ? unit.h : now[key.replace("′", "")])));
    equations.replaceChildren(
      el("div", {}, `step ${step}, x = ${n(x)}, before it c = ${n(before.lstm.c)}, h = ${n(before.lstm.h)}`),
      line("i", "var(--i)", `σ(${sum("i")})`), line("f", "var(--f)", `σ(${sum("f")})`), line("g", "var(--g)", `tanh(${sum("g")})`), line("o", "var(--o)", `σ(${sum("o")})`),
      line("c′", "var(--ours)", `f·c + i·g = ${n(now.f)}·${n(before.lstm.c)} + ${n(now.i)}·${n(now.g)}`),
      line("h′", "var(--truth)", `o·tanh(c′) = ${n(now.o)}·tanh(${n(now.c)})`),
      line("h (plain)", "var(--rnn)", `tanh(${n(rnn.x)}·${n(x)} + ${n(rnn.h)}·${n(before.rnn.h)} + ${n(rnn.b)})`));
    const shares = kept(steps, rnn, 1).at(-1);
    keep.textContent = `Of a small change in what was stored at step 1, the LSTM's cell still holds ${share(shares.lstm)} at step ${STEPS - 1}, the plain unit ${share(shares.rnn)}.`;
    for (const cursor of pictures.querySelectorAll(".cursor")) { cursor.setAttribute("x1", at(step)); cursor.setAttribute("x2", at(step)); }
  }
  function move(to) { step = Math.max(0, Math.min(STEPS - 1, to)); look(); }
  function toggle() {
    if (playing) { clearInterval(playing); playing = null; } else {
      if (step === STEPS - 1) step = 0;
      playing = setInterval(() => { move(step + 1); if (step === STEPS - 1) toggle(); }, 350);
    }
    play.textContent = playing ? "Pause" : "Play";
    play.setAttribute("aria-pressed", String(Boolean(playing)));
  }
  cells.addEventListener("change", preset);
  kinds.addEventListener("change", compute);
  place.addEventListener("input", () => move(Number(place.value)));
  play.addEventListener("click", toggle);
  preset();

  return [
    el("h2", {}, "The cell under glass"),
    el("p", { class: "lead" }, "One LSTM cell with one input and one unit, and a plain recurrent unit beside it. The forget gate f multiplies what was stored, and i·g is added to it: as long as f is near 1 nothing fades. A plain unit squeezes all it knows through tanh and one weight at every step."),
    el("div", { class: "glass" },
      el("div", { class: "sliders" }, labelled("A cell that …", cells), groups),
      el("div", {}, labelled("reads", kinds),
        el("div", { class: "row" }, el("button", { type: "button", onclick: () => move(step - 1), "aria-label": "A step back" }, "◀"), play,
          el("button", { type: "button", onclick: () => move(step + 1), "aria-label": "A step on" }, "▶"), labelled("step ", place, false)),
        equations, keep, pictures)),
  ];

  function chart(title, curves) {
    const all = curves.flatMap(([, , of]) => steps.map(of)), reach = Math.max(1, ...all.map(Math.abs)) * 1.04;
    const y = (v) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (v + reach) / (2 * reach));
    const levels = [-1, 0, 1].map((v) => v * Math.max(1, Math.floor(reach)));
    return el("figure", {}, el("figcaption", {}, title),
      el("div", { class: "keys", "aria-hidden": "true" }, curves.length > 1 ? curves.map(([name, colour]) => el("span", {}, el("span", { class: "key", style: { borderColor: colour } }), name)) : null),
      svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. At the end ${curves.map(([name, , of]) => `${name} is ${n(of(steps.at(-1)))}`).join(", ")}.` },
        levels.map((v) => [svg("line", { x1: LEFT, x2: WIDTH - 8, y1: y(v), y2: y(v), stroke: "var(--grid)" }), svg("text", { x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" }, `${v}`)]),
        svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, stroke: "var(--soft)", "stroke-dasharray": "3 3" }),
        curves.map(([, colour, of]) => svg("polyline", { fill: "none", stroke: colour, "stroke-width": 2, points: steps.map((s, t) => `${at(t).toFixed(1)},${y(of(s)).toFixed(1)}`).join(" ") })),
        [0, 10, 20].map((t) => svg("text", { x: at(t), y: HEIGHT - 4, "text-anchor": "middle" }, `${t}`))));
  }
}

const at = (t) => LEFT + ((WIDTH - LEFT - 14) * t) / (STEPS - 1);
const n = (v) => (Math.abs(v) < 0.005 ? "0" : v.toFixed(2).replace("-", "−"));
const share = (v) => (v > 0.1 ? `${Math.round(100 * v)} %` : v > 1e-4 ? `${(100 * v).toPrecision(2)} %` : "next to nothing");
