// A forecast as a fan: what was, the median of what may come, and bands between quantiles.

import { el, svg } from "./dom.js";

const WIDTH = 760, HEIGHT = 300, LEFT = 56, RIGHT = 12, TOP = 12, BOTTOM = 34;

export function fan({ id, history, history_times: before, times, median, quantiles }) {
  const levels = Object.keys(quantiles).map(Number).sort((a, b) => a - b);
  const named = Object.fromEntries(Object.entries(quantiles).map(([level, values]) => [Number(level), values]));
  const all = [...history.filter((v) => v !== null), ...levels.flatMap((level) => named[level])];
  let [low, high] = [Math.min(...all), Math.max(...all)];
  if (low === high) { low -= 1; high += 1; }
  const count = history.length + times.length;
  const x = (k) => LEFT + (WIDTH - LEFT - RIGHT) * (count > 1 ? k / (count - 1) : 0.5);
  const y = (v) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (v - low) / (high - low));
  const points = (values, from) => values.map((v, k) => (v === null ? null : `${x(from + k).toFixed(1)},${y(v).toFixed(1)}`));

  const parts = [];
  for (const tick of ticks(low, high)) {
    parts.push(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick), stroke: "var(--grid)" }));
    parts.push(svg("text", { x: LEFT - 7, y: y(tick) + 4, "text-anchor": "end" }, `${Number(tick.toPrecision(6))}`));
  }
  const labels = [...before, ...times];
  const steps = Math.min(5, count - 1);
  for (let k = 0; k <= steps; k++) {
    const place = Math.round((k * (count - 1)) / Math.max(steps, 1));
    const anchor = k === 0 ? "start" : k === steps ? "end" : "middle";
    parts.push(svg("text", { x: x(place), y: HEIGHT - 10, "text-anchor": anchor }, String(labels[place]).replace("T", " ")));
  }
  const middle = levels.length / 2;
  levels.slice(0, Math.floor(middle)).forEach((level, k) => {
    const upper = points(named[levels[levels.length - 1 - k]], history.length), lower = points(named[level], history.length);
    parts.push(svg("polygon", { points: [...upper, ...lower.reverse()].join(" "), fill: "var(--ours)", opacity: 0.13 }));
  });
  const last = history.at(-1);
  const joined = last === null || last === undefined ? points(median, history.length) : [points([last], history.length - 1)[0], ...points(median, history.length)];
  for (const line of runs(points(history, 0))) parts.push(svg("polyline", { points: line, fill: "none", stroke: "var(--truth)", "stroke-width": 1.6 }));
  parts.push(svg("polyline", { points: joined.join(" "), fill: "none", stroke: "var(--ours)", "stroke-width": 2.4 }));
  const told = `Forecast of ${id}: median ${format(median[0])} at ${times[0]} to ${format(median.at(-1))} at ${times.at(-1)}.`;
  return el("figure", {},
    el("div", {}, svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": told }, parts)),
    el("figcaption", {}, `Black what was, blue the median of what may come. The bands lie between quantiles: the outermost from ${levels[0]} to ${levels.at(-1)}.`),
    el("details", {}, el("summary", {}, "As a table"), el("div", { class: "wide", tabindex: "0" }, table(times, median, levels, named))));
}

function table(times, median, levels, named) {
  const ends = [levels[0], levels.at(-1)];
  return el("table", {},
    el("thead", {}, el("tr", {}, ["time", "median", ...ends.map((level) => `quantile ${level}`)].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, times.map((time, k) => el("tr", {}, el("th", { scope: "row" }, String(time)), [median[k], ...ends.map((level) => named[level][k])].map((v) => el("td", {}, format(v)))))));
}

/** Stretches without a gap. */
function runs(points) {
  const found = [[]];
  for (const point of points) point === null ? found.push([]) : found.at(-1).push(point);
  return found.filter((line) => line.length > 1).map((line) => line.join(" "));
}

function ticks(low, high) {
  const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw);
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) found.push(v);
  return found;
}

export const format = (v) => (Math.abs(v) >= 1e6 || (Math.abs(v) < 1e-3 && v !== 0) ? v.toExponential(3) : Number(v.toPrecision(5)).toString());
