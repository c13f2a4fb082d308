// A tune as a piano roll: time to the right, pitch upwards, a bar for every note.

import { el, room, svg } from "./dom.js";

const QUARTER = 26, KEY = 8, LEFT = 42, NAMES = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const COLOURS = ["--ours", "--i", "--g", "--o", "--rnn"];

export const named = (pitch) => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

/** The figure, with `at(quarter)` to move its line; null takes it away. */
export function roll({ notes, key, new: begins }) {
  const pitched = notes.filter(({ program }) => program >= 0), pitches = pitched.map(({ pitch }) => pitch);
  const low = pitches.length ? Math.min(...pitches) : 60, high = pitches.length ? Math.max(...pitches) : 72;
  const bottom = low - 2, top = high + 2, height = KEY * (top - bottom + 1);
  const end = Math.ceil(notes.reduce((most, note) => Math.max(most, note.start + note.duration), 4));
  const wide = Math.max(QUARTER, (room() - LEFT) / end), width = LEFT + wide * end;
  const x = (quarter) => LEFT + wide * quarter, y = (pitch) => KEY * (top - pitch);
  const programs = [...new Set(pitched.map(({ program }) => program))].sort((a, b) => a - b);
  const parts = [];
  for (let octave = 12 * Math.ceil(bottom / 12); octave <= top; octave += 12) {
    parts.push(svg("line", { x1: LEFT, x2: width, y1: y(octave) + KEY, y2: y(octave) + KEY, stroke: "var(--edge)" }));
    parts.push(svg("text", { x: LEFT - 8, y: y(octave) + KEY - 1, "text-anchor": "end" }, named(octave)));
  }
  for (let quarter = 0; quarter <= end; quarter += 4) parts.push(svg("line", { x1: x(quarter), x2: x(quarter), y1: 0, y2: height, stroke: "var(--grid)" }));
  for (const { start, duration, pitch, program } of pitched) {
    const colour = start < begins ? "--soft" : COLOURS[programs.indexOf(program) % COLOURS.length];
    parts.push(svg("rect", { x: x(start), y: y(pitch), width: Math.max(2, wide * duration - 1), height: KEY - 1, rx: 2, fill: `var(${colour})` }, svg("title", {}, `${named(pitch)} at ${Number(start.toFixed(2))}`)));
  }
  const line = svg("line", { x1: 0, x2: 0, y1: 0, y2: height, stroke: "var(--wrong)", "stroke-width": 2, visibility: "hidden" });
  const told = `Piano roll of ${notes.length} notes over ${end} quarter notes${pitches.length ? `, from ${named(low)} to ${named(high)}` : ""}${key ? `, in ${key}` : ""}`;
  const box = el("div", { class: "wide", tabindex: "0" }, svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": told, style: { maxWidth: "none" } }, parts, line));
  const before = begins ? " Grey is what was there before." : "";
  const drums = pitched.length < notes.length ? " Drums are heard, and not drawn." : "";
  const figure = el("figure", {}, box, el("figcaption", {}, `Time goes to the right, a line every four quarter notes; pitch goes up, a line at every C.${before}${drums}`));
  return Object.assign(figure, {
    at(quarter) {
      line.setAttribute("visibility", quarter === null ? "hidden" : "visible");
      if (quarter === null) return;
      line.setAttribute("x1", x(quarter));
      line.setAttribute("x2", x(quarter));
      if (x(quarter) < box.scrollLeft || x(quarter) > box.scrollLeft + box.clientWidth - 20) box.scrollLeft = x(quarter) - 60;
    },
  });
}
