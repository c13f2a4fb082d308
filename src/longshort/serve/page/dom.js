// Elements out of plain functions. Texts stay texts: nothing that a model or a file says becomes markup.

const SVG = "http://www.w3.org/2000/svg";

function made(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(node.style, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const el = (tag, attributes, ...children) => made(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => made(document.createElementNS(SVG, tag), attributes, children);

let count = 0;
/** An input with its label, which a screen reader reads with it. */
export function labelled(text, input, block = true) {
  input.id ||= `field-${++count}`;
  return [el("label", { for: input.id, class: block ? "block" : null }, text), input];
}

/** A line that tells how things go, also to screen readers. */
export function status() {
  const line = el("p", { class: "status", role: "status", "aria-live": "polite" });
  return Object.assign(line, {
    say(text) { line.className = "status"; line.textContent = text; },
    fail(error) { line.className = "status wrong"; line.textContent = error.message; },
  });
}

/** Things with a share of 1 each, as bars; `pick` makes them buttons. */
export function bars(rows, label, pick) {
  return el("ul", { class: "bars", "aria-label": label }, rows.map(([name, share, value]) => el("li", {},
    pick ? el("button", { type: "button", onclick: () => pick(value ?? name), "aria-label": `${name}, ${percent(share)}` }, name) : el("span", {}, name),
    el("span", { class: "bar", "aria-hidden": "true" }, el("i", { style: { width: `${100 * share}%` } })),
    el("span", { class: "number" }, percent(share)))));
}

export const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

/** A text of which stretches are shaded, each by a weight from 0 to 1. */
export function shaded(text, stretches, colour, hint) {
  const box = el("p", { class: "text" });
  let end = 0;
  for (const { begin, end: after, weight } of stretches) {
    if (begin > end) box.append(text.slice(end, begin));
    box.append(el("span", { title: hint?.(weight), style: { background: `color-mix(in srgb, ${colour} ${Math.round(70 * weight)}%, transparent)` } }, text.slice(begin, after)));
    end = after;
  }
  box.append(text.slice(end));
  return box;
}

/** How wide a picture can be without being scrolled, in pixels. */
export const room = () => Math.max(240, document.querySelector("section.run").clientWidth - 46);
