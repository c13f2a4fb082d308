// A recording as a picture: its wave, its spectrum, what the network said at every step, and the words under their times.

import { el, percent, room } from "./dom.js";

const SECOND = 120, WAVE = 70, SPECTRUM = 110, STEPS = 70, WINDOW = 256, RANGE = 60, ROW = 30, LETTER = 9;
// What a canvas holds at most, in pixels from side to side.
const WIDEST = 16_000;

/** `pick` is called with the second of a word that is chosen. Gives the figure, with `at(second)` to move its line. */
export function pictured(samples, rate, { words, frames }, pick) {
  const seconds = samples.length / rate, width = Math.round(Math.min(Math.max(room(), SECOND * seconds), WIDEST));
  const height = WAVE + SPECTRUM + (frames ? STEPS : 0), x = (t) => (width * t) / seconds;
  const canvas = el("canvas", { role: "img", "aria-label": `The sound of ${seconds.toFixed(1)} seconds: wave, spectrum${frames ? ", and the units that the network heard" : ""}` });
  const line = el("div", { class: "playhead", hidden: true, "aria-hidden": "true" });
  const ends = [];
  const list = el("ol", { class: "words", "aria-label": "Words and their times" }, words.map((word) => {
    const left = Math.min(x(word.start), width - LETTER * word.text.length - 14), right = left + LETTER * word.text.length + 18;
    let row = ends.findIndex((end) => end <= left);
    if (row < 0) row = ends.length;
    ends[row] = right;
    return el("li", { style: { left: `${Math.max(0, left)}px`, top: `${row * ROW}px` } },
      el("button", { type: "button", onclick: () => pick(word.start), title: `${word.start.toFixed(2)} to ${word.end.toFixed(2)} s, sure to ${percent(word.confidence)}`,
        "aria-label": `${word.text}, at ${word.start.toFixed(2)} seconds, sure to ${percent(word.confidence)}: play from here`,
        style: { background: `color-mix(in srgb, var(--ours) ${Math.round(45 * word.confidence)}%, transparent)` } }, word.text));
  }));
  list.style.height = `${Math.max(1, ends.length) * ROW}px`;
  const inner = el("div", { class: "sound", style: { width: `${width}px` } }, canvas, line, list);
  const box = el("div", { class: "wide", tabindex: "0" }, inner);
  const draw = () => drawn(canvas, samples, width, height, words, frames, x);
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => canvas.isConnected && draw());
  const said = frames ? " Below it the probability of each unit at every step." : "";
  const figure = el("figure", {}, box, el("figcaption", {}, `The wave, and the spectrum from low at the bottom to ${(rate / 2000).toFixed(0)} kHz.${said} The deeper a word's colour, the surer it is; a click plays from there.`));
  return Object.assign(figure, {
    at(second) {
      line.hidden = second === null;
      if (second === null) return;
      line.style.left = `${x(second)}px`;
      if (x(second) < box.scrollLeft || x(second) > box.scrollLeft + box.clientWidth - 20) box.scrollLeft = x(second) - 40;
    },
  });
}

function drawn(canvas, samples, width, height, words, frames, x) {
  const css = getComputedStyle(document.documentElement), colour = (name) => css.getPropertyValue(name).trim();
  const ratio = Math.min(devicePixelRatio || 1, WIDEST / width);
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px`, maxWidth: "none" });
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.fillStyle = colour("--ours");
  const each = samples.length / width, peak = samples.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-4);
  for (let column = 0; column < width; column++) {
    let low = 0, high = 0;
    for (let k = Math.floor(column * each); k < (column + 1) * each && k < samples.length; k++) { low = Math.min(low, samples[k]); high = Math.max(high, samples[k]); }
    const [up, down] = [high, low].map((v) => (WAVE / 2) * (1 - (0.95 * v) / peak));
    context.fillRect(column, up, 1, Math.max(1, down - up));
  }
  const picture = spectrum(samples, width, channels(colour("--low")), channels(colour("--high")));
  const small = Object.assign(document.createElement("canvas"), { width, height: WINDOW / 2 });
  small.getContext("2d").putImageData(picture, 0, 0);
  context.drawImage(small, 0, WAVE, width, SPECTRUM);
  if (frames) spikes(context, frames, x, height, colour);
  context.fillStyle = colour("--soft");
  for (const { start } of words) context.fillRect(x(start), WAVE, 1, height - WAVE);
}

/** Decibels of a Fourier transform for each column, from high frequencies down to low ones. */
function spectrum(samples, width, low, high) {
  const bins = WINDOW / 2, levels = new Float32Array(width * bins);
  const taper = Float32Array.from({ length: WINDOW }, (_, k) => 0.5 - 0.5 * Math.cos((2 * Math.PI * k) / WINDOW));
  const re = new Float32Array(WINDOW), im = new Float32Array(WINDOW);
  let most = -Infinity;
  for (let column = 0; column < width; column++) {
    const begin = Math.round(((column + 0.5) * samples.length) / width) - bins;
    for (let k = 0; k < WINDOW; k++) { re[k] = (samples[begin + k] ?? 0) * taper[k]; im[k] = 0; }
    fourier(re, im);
    for (let bin = 0; bin < bins; bin++) {
      const level = 10 * Math.log10(re[bin] ** 2 + im[bin] ** 2 + 1e-10);
      levels[column * bins + bin] = level;
      most = Math.max(most, level);
    }
  }
  const image = new ImageData(width, bins);
  for (let column = 0; column < width; column++) for (let bin = 0; bin < bins; bin++) {
    const share = Math.max(0, 1 + (levels[column * bins + bin] - most) / RANGE), place = 4 * ((bins - 1 - bin) * width + column);
    for (let k = 0; k < 3; k++) image.data[place + k] = low[k] + (high[k] - low[k]) * share;
    image.data[place + 3] = 255;
  }
  return image;
}

/** In place; the length is a power of 2 (Cooley & Tukey 1965). */
export function fourier(re, im) {
  const n = re.length;
  for (let k = 1, j = 0; k < n; k++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (k < j) { [re[k], re[j]] = [re[j], re[k]]; [im[k], im[j]] = [im[j], im[k]]; }
  }
  for (let size = 2; size <= n; size *= 2) {
    for (let k = 0; k < size / 2; k++) {
      const angle = (-2 * Math.PI * k) / size, c = Math.cos(angle), s = Math.sin(angle);
      for (let a = k; a < n; a += size) {
        const b = a + size / 2, x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
        re[b] = re[a] - x; im[b] = im[a] - y; re[a] += x; im[a] += y;
      }
    }
  }
}

function spikes(context, { times, units, probabilities }, x, height, colour) {
  const colours = ["--i", "--f", "--g", "--o", "--rnn"].map(colour), y = (p) => height - 2 - (STEPS - 22) * p;
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "center";
  units.forEach((unit, k) => {
    if (!unit) return; // the blank
    const row = probabilities[k];
    context.strokeStyle = context.fillStyle = colours[k % colours.length];
    context.beginPath();
    row.forEach((p, step) => context[step ? "lineTo" : "moveTo"](x(times[step]), y(p)));
    context.stroke();
    const name = unit === " " ? "␣" : unit.trim();
    row.forEach((p, step) => {
      const before = row[step - 1] ?? 0, after = row[step + 1] ?? 0;
      if (p > 0.3 && p >= before && p > after && name.length <= 8) context.fillText(name, x(times[step]), y(p) - 5);
    });
  });
}

const channels = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
