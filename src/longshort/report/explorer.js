// Gates and states of units over a sequence: heat maps on canvases, units sorted, picked and compared.
// The address keeps what is shown: #gates:layer=0&keys=f,c&sort=timescale&units=3,7&from=0&to=100&rows=all&colours=one
(async () => {
  "use strict";
  const root = document.currentScript?.closest("section") ?? document;
  const figure = root.querySelector("figure.explorer");
  const stage = figure.querySelector(".stage");
  const meta = JSON.parse(figure.querySelector("script.meta").textContent);
  const packed = Uint8Array.from(atob(figure.querySelector("script.bytes").textContent), (c) => c.charCodeAt(0));
  const bytes = new Uint8Array(await new Response(
    new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
  let offset = 0;
  for (const layer of meta.layers) {
    for (const key of layer.keys) {
      key.bytes = bytes.subarray(offset, offset += layer.units * layer.steps);
    }
  }
  const total = meta.labels.length, PICKS = ["--rival-1", "--ours", "--rival-2", "--rival-3", "--rival-4", "--ink"];
  const state = { layer: 0, keys: null, sort: "timescale", units: null, from: 0, to: total, rows: "all", colours: "one" };
  let order = [], hover = null;

  // -- numbers -------------------------------------------------------------------------------------------------------
  const current = () => meta.layers[state.layer];
  const key = (name) => current().keys.find((k) => k.key === name);
  const first = (layer) => total - layer.steps * meta.stride;          // the input's step at which the layer begins
  const column = (layer, step) => Math.floor((step - first(layer)) / meta.stride);
  const value = (k, unit, t) => {
    const b = k.bytes[unit * current().steps + t];
    return k.gate ? b / 255 : (b - 128) / 127 * k.reach[unit];
  };
  const shown = () => {                                                // columns of the layer inside the window
    const layer = current();
    return [Math.max(0, column(layer, state.from)), Math.min(layer.steps, column(layer, state.to - 1) + 1)];
  };
  const store = () => key("c") ?? key("h");
  function moments(k, unit, [a, b]) {
    let sum = 0, squares = 0;
    for (let t = a; t < b; t++) { const v = value(k, unit, t); sum += v; squares += v * v; }
    const n = Math.max(1, b - a), mean = sum / n;
    return [mean, Math.sqrt(Math.max(0, squares / n - mean * mean))];
  }
  function likeness(one, two, span) {
    const k = store(), [ma, sa] = moments(k, one, span), [mb, sb] = moments(k, two, span);
    let sum = 0;
    for (let t = span[0]; t < span[1]; t++) sum += (value(k, one, t) - ma) * (value(k, two, t) - mb);
    return sa && sb ? sum / (span[1] - span[0]) / sa / sb : 0;
  }
  function ranked() {
    const layer = current(), units = [...Array(layer.units).keys()], span = shown(), k = key(state.keys[0]);
    const by = {
      timescale: (u) => layer.timescales ? layer.timescales[u] : moments(store(), u, span)[1],
      activity: (u) => moments(key("h"), u, span)[1],
      mean: (u) => moments(k, u, span)[0],
      likeness: (u) => state.units.length ? likeness(state.units[0], u, span) : 0,
      number: (u) => -u,
    }[state.sort];
    const score = units.map(by);
    return units.sort((a, b) => score[b] - score[a] || a - b);
  }

  // -- controls ------------------------------------------------------------------------------------------------------
  const make = (tag, more = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), more);
    node.append(...children);
    return node;
  };
  const choice = (title, name, options) => {
    const select = make("select", { name }, ...options.map(([v, text]) => make("option", { value: v, textContent: text })));
    select.addEventListener("change", () => { state[name] = name === "layer" ? Number(select.value) : select.value; changed(name); });
    return make("label", {}, title + " ", select);
  };
  const controls = make("div", { className: "controls" });
  const keysBox = make("span", { className: "keys" });
  const plural = meta.step + "s";
  const number = (name, title) => {
    const input = make("input", { type: "number", name, min: 1, max: total });
    input.addEventListener("change", () => {
      const wanted = Math.round(Number(input.value));
      if (name === "from") state.from = wanted - 1; else state.to = wanted;
      changed("window");
    });
    return make("label", {}, title + " ", input);
  };
  const button = (text, act) => {
    const b = make("button", { type: "button", textContent: text });
    b.addEventListener("click", act);
    return b;
  };
  const unitInput = make("input", { type: "number", name: "unit", min: 0, placeholder: "unit" });
  unitInput.addEventListener("change", () => {
    const unit = Number(unitInput.value);
    if (unitInput.value !== "" && unit >= 0 && unit < current().units && !state.units.includes(unit)) pick(unit);
    unitInput.value = "";
  });
  if (meta.layers.length > 1) controls.append(choice("Layer", "layer", meta.layers.map((l, k) => [k, l.name])));
  controls.append(
    keysBox,
    choice("Units sorted by", "sort", [["timescale", "timescale"], ["activity", "activity: how much h moves"],
      ["mean", "mean of the first map"], ["likeness", "likeness to the first picked"], ["number", "number"]]),
    choice("Rows", "rows", [["all", "all units"], ["picked", "the picked units"]]),
    choice("Colours", "colours", [["one", "one scale for all"], ["own", "each unit's own scale"]]),
    number("from", `${meta.step[0].toUpperCase()}${plural.slice(1)} from`), number("to", "to"),
    button("closer", () => zoom(0.5)), button("wider", () => zoom(2)),
    button(`all ${plural}`, () => { state.from = 0; state.to = total; changed("window"); }),
    make("label", {}, "Pick unit ", unitInput),
  );
  const readout = make("p", { className: "readout" });
  const body = make("div", { className: "panels" });
  const cursor = make("i", { className: "cursor", hidden: true }), stretch = make("i", { className: "stretch", hidden: true });
  const chips = make("div", { className: "chips" });
  stage.replaceChildren(controls, readout, body);
  stage.tabIndex = 0;

  function zoom(factor) {
    const width = Math.max(4, Math.min(total, Math.round((state.to - state.from) * factor)));
    const middle = hover ? hover.step : (state.from + state.to) / 2;
    state.from = Math.round(Math.max(0, Math.min(total - width, middle - width / 2)));
    state.to = state.from + width;
    changed("window");
  }
  function pick(unit) {
    state.units = state.units.includes(unit) ? state.units.filter((u) => u !== unit)
      : [...state.units, unit].slice(-PICKS.length);
    changed("units");
  }
  stage.addEventListener("keydown", (event) => {
    if (event.target !== stage) return;
    const width = state.to - state.from;
    const by = { ArrowLeft: -0.25, ArrowRight: 0.25 }[event.key];
    if (by) {
      state.from = Math.round(Math.max(0, Math.min(total - width, state.from + by * width)));
      state.to = state.from + width;
      changed("window");
    } else if (event.key === "+") zoom(0.5); else if (event.key === "-") zoom(2); else return;
    event.preventDefault();
  });

  // -- what is shown, and its address --------------------------------------------------------------------------------
  function tidy() {
    state.layer = Math.max(0, Math.min(meta.layers.length - 1, Number(state.layer) || 0));
    const layer = current(), names = layer.keys.map((k) => k.key);
    state.keys = (state.keys ?? []).filter((k) => names.includes(k));
    if (!state.keys.length) state.keys = layer.units <= 24 ? names : names.filter((k) => ["f", "c", "z", "h"].includes(k)).slice(0, 2);
    state.keys.sort((a, b) => names.indexOf(a) - names.indexOf(b));
    state.from = Math.max(0, Math.min(total - 1, state.from || 0));
    state.to = Math.max(state.from + 1, Math.min(total, state.to || total));
    if (state.to <= first(layer)) state.to = first(layer) + 1;
    if (!state.units) {
      const by = (score) => [...Array(layer.units).keys()].reduce((best, u) => score(u) > score(best) ? u : best, 0);
      const span = [0, layer.steps];
      const slow = layer.timescales ? by((u) => layer.timescales[u]) : 0;
      const lively = by((u) => moments(key("h"), u, span)[1]);
      state.units = [...new Set([slow, lively])];
    }
    state.units = state.units.filter((u) => Number.isInteger(u) && u >= 0 && u < layer.units).slice(-PICKS.length);
  }
  function fromAddress() {
    if (!location.hash.startsWith("#gates:")) return false;
    const given = new URLSearchParams(location.hash.slice(7)), list = (s) => s ? s.split(",") : [];
    if (given.has("layer")) state.layer = Number(given.get("layer"));
    if (given.has("keys")) state.keys = list(given.get("keys"));
    if (given.has("units")) state.units = list(given.get("units")).map(Number);
    for (const name of ["from", "to"]) if (given.has(name)) state[name] = Number(given.get(name));
    const known = { sort: ["timescale", "activity", "mean", "likeness", "number"], rows: ["all", "picked"], colours: ["one", "own"] };
    for (const name in known) if (known[name].includes(given.get(name))) state[name] = given.get(name);
    return true;
  }
  function changed(what) {
    if (what === "layer") { state.units = null; }
    tidy();
    const said = { ...state, keys: state.keys.join(","), units: state.units.join(",") };
    try { history.replaceState(null, "", "#gates:" + new URLSearchParams(said)); } catch { /* some pages have no address */ }
    show();
  }
  function show() {
    order = ranked();
    if (state.rows === "picked") order = order.filter((u) => state.units.includes(u));
    const layer = current();
    for (const select of controls.querySelectorAll("select")) select.value = String(state[select.name]);
    controls.querySelector("[name=from]").value = state.from + 1;
    controls.querySelector("[name=to]").value = state.to;
    const sorted = controls.querySelector("option[value=timescale]");
    sorted.textContent = layer.timescales ? `timescale of ${layer.keeps}` : `movement of ${store().key}`;
    unitInput.max = layer.units - 1;
    keysBox.replaceChildren(...layer.keys.map((k) => {
      const box = make("input", { type: "checkbox", checked: state.keys.includes(k.key), name: k.key });
      box.addEventListener("change", () => {
        state.keys = box.checked ? [...state.keys, k.key] : state.keys.filter((other) => other !== k.key);
        changed("keys");
      });
      return make("label", { title: k.name }, box, " " + k.key);
    }));
    build();
    draw();
  }

  // -- drawing -------------------------------------------------------------------------------------------------------
  let panels = [], colour = {};
  const rgb = (name) => {
    const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    return [1, 3, 5].map((k) => parseInt(text.slice(k, k + 2), 16));
  };
  function colours() {
    const ramp = (stops) => Uint8Array.from({ length: 1024 }, (_, k) => {
      if (k % 4 === 3) return 255;
      const at = Math.floor(k / 4) / 255 * 2, low = Math.min(1, Math.floor(at));
      return Math.round(stops[low][k % 4] + (at - low) * (stops[low + 1][k % 4] - stops[low][k % 4]));
    });
    const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    colour = {
      gate: ramp(["--seq-0", "--seq-1", "--seq-2"].map(rgb)), state: ramp(["--div-0", "--div-1", "--div-2"].map(rgb)),
      ink: css("--ink"), soft: css("--soft"), grid: css("--grid"), pick: PICKS.map(css),
    };
  }
  function panel(title, height, paint, rows = null) {
    const canvas = make("canvas");
    canvas.style.height = height + "px";
    body.append(make("div", { className: "panel" }, title, canvas));
    const found = { canvas, height, paint, rows };
    panels.push(found);
    watch(found);
  }
  function build() {
    panels = [];
    body.replaceChildren(cursor, stretch);
    const layer = current(), curves = meta.curves.length, count = Math.max(1, order.length);
    const narrow = meta.text ? 34 : 22;
    const names = meta.curves.slice(0, 6).map((c, n) => {
      const name = make("span", { textContent: c.name + (n + 1 < Math.min(curves, 6) ? ", " : "") });
      if (curves > 1) name.style.color = `var(${PICKS[n]})`;
      return name;
    });
    panel(make("p", {}, ...(curves ? names : [`${plural} read`])),
      curves ? 84 + narrow : narrow + 6, (g, w, h) => paintAbove(g, w, h, narrow));
    const height = Math.max(28, Math.min(count * 16, { 1: 420, 2: 260, 3: 200 }[state.keys.length] ?? 140));
    for (const name of state.keys) {
      const k = key(name), title = make("p", {}, make("b", { textContent: k.key }), ` ${k.name}`, scale(k));
      panel(title, height, (g, w, h) => paintMap(g, w, h, k), true);
    }
    chips.replaceChildren(...state.units.map((unit, n) => {
      const chip = button(`unit ${unit}${layer.timescales ? ` · timescale ${spoken(layer.timescales[unit])}` : ""} ✕`, () => pick(unit));
      chip.style.borderColor = `var(${PICKS[n]})`;
      chip.title = "no longer compare";
      return chip;
    }));
    body.append(make("p", { className: "compared", textContent: state.units.length ? "Units compared:" : "Click on a row of a map to compare its unit with others." }), chips);
    if (state.units.length) {
      for (const name of state.keys) {
        const k = key(name);
        panel(make("p", {}, make("b", { textContent: k.key }), ` ${k.name}`), 92, (g, w, h) => paintLines(g, w, h, k));
      }
    }
  }
  function reach(k) {
    if (k.gate) return 1;
    const all = [...k.reach].sort((a, b) => a - b);
    return all[Math.floor((all.length - 1) * 0.9)];
  }
  function scale(k) {
    const most = spoken(reach(k));
    const ends = k.gate ? ["0", "1"] : state.colours === "own" ? ["−", "+"] : ["−" + most, most];
    return make("span", { className: "scale" }, ends[0], make("i", { className: k.gate ? "gate" : "state" }), ends[1]);
  }
  const spoken = (v) => v === null || v === undefined ? "–" : (Math.abs(v) >= 100 ? Math.round(v).toLocaleString("en")
    : Number(v.toPrecision(2)).toString()).replace("-", "−");
  const x = (w, step) => (step - state.from) / (state.to - state.from) * w;

  function paintMap(g, w, h, k) {
    const layer = current(), [a, b] = shown(), wide = b - a, most = reach(k), rows = order.length;
    if (!rows || wide < 1) return;
    const image = new ImageData(wide, rows), table = k.gate ? colour.gate : colour.state;
    const pixels = new Uint32Array(image.data.buffer), look = new Uint32Array(table.buffer.slice(0));
    for (let r = 0; r < rows; r++) {
      const unit = order[r], begin = unit * layer.steps, factor = k.gate ? 1 : state.colours === "own" ? 1 : k.reach[unit] / most;
      for (let t = a; t < b; t++) {
        const byte = k.bytes[begin + t];
        const at = k.gate ? byte : Math.max(0, Math.min(255, Math.round(127.5 + (byte - 128) * factor * 127.5 / 127)));
        pixels[r * wide + t - a] = look[at];
      }
    }
    const off = make("canvas", { width: wide, height: rows });
    off.getContext("2d").putImageData(image, 0, 0);
    g.imageSmoothingEnabled = wide > w * devicePixelRatio || rows > h * devicePixelRatio;
    g.imageSmoothingQuality = "high";
    const left = x(w, first(layer) + a * meta.stride), right = x(w, first(layer) + b * meta.stride);
    g.drawImage(off, left, 0, right - left, h);
    for (const [n, unit] of state.units.entries()) {
      const row = order.indexOf(unit);
      if (row < 0) continue;
      const y = (row + 0.5) / rows * h;
      g.fillStyle = colour.pick[n];
      for (const [at, way] of [[0, 1], [w, -1]]) {
        g.beginPath(); g.moveTo(at, y - 5); g.lineTo(at + 8 * way, y); g.lineTo(at, y + 5); g.fill();
      }
    }
  }
  function polyline(g, points) {
    g.beginPath();
    let pen = false;
    for (const [px, py] of points) {
      if (py === null) { pen = false; continue; }
      if (pen) g.lineTo(px, py); else g.moveTo(px, py);
      pen = true;
    }
    g.stroke();
  }
  function levels(g, w, low, high, y) {
    g.font = "11px system-ui, sans-serif";
    g.strokeStyle = colour.grid;
    g.lineWidth = 1;
    const ticks = low < 0 && high > 0 ? [low, 0, high] : [low, high];
    for (const tick of ticks) polyline(g, [[0, y(tick)], [w, y(tick)]]);
    return () => {
      g.fillStyle = colour.soft;
      g.textAlign = "left";
      for (const tick of ticks) { g.textBaseline = tick === high ? "top" : "bottom"; g.fillText(spoken(tick), 3, y(tick)); }
    };
  }
  function paintLines(g, w, h, k) {
    const layer = current(), [a, b] = shown();
    let low = 0, high = k.gate ? 1 : 0;
    if (!k.gate) {
      for (const unit of state.units) for (let t = a; t < b; t++) {
        const v = value(k, unit, t); low = Math.min(low, v); high = Math.max(high, v);
      }
      if (low === high) high = low + 1;
    }
    const y = (v) => h - 3 - (v - low) / (high - low) * (h - 6), label = levels(g, w, low, high, y);
    for (const [n, unit] of state.units.entries()) {
      g.strokeStyle = colour.pick[n];
      g.lineWidth = 1.6;
      g.setLineDash([[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [3, 5]][n]);
      const points = [];
      for (let t = a; t < b; t++) points.push([x(w, first(layer) + (t + 0.5) * meta.stride), y(value(k, unit, t))]);
      if (points.length === 1) points.push([points[0][0] + 3, points[0][1]]);
      polyline(g, points);
    }
    g.setLineDash([]);
    label();
  }
  function paintAbove(g, w, h, strip) {
    const tall = h - strip, count = state.to - state.from, each = w / count;
    for (const [n, curve] of meta.curves.slice(0, 6).entries()) {
      const seen = curve.y.slice(state.from, state.to).filter((v) => v !== null);
      if (!seen.length) continue;
      let low = Math.min(...seen), high = Math.max(...seen);
      if (low === high) { low -= 1; high += 1; }
      const y = (v) => tall - 3 - (v - low) / (high - low) * (tall - 8);
      const label = meta.curves.length === 1 ? levels(g, w, low, high, y) : () => {};
      g.strokeStyle = meta.curves.length === 1 ? colour.ink : colour.pick[n];
      g.lineWidth = 1.3;
      const points = [];
      for (let t = state.from; t < state.to; t++) points.push([x(w, t + 0.5), curve.y[t] === null ? null : y(curve.y[t])]);
      polyline(g, points);
      label();
    }
    g.fillStyle = colour.ink;
    g.textBaseline = "middle";
    g.textAlign = "center";
    g.font = `${meta.text && each > 15 ? 13 : 11}px ui-monospace, Menlo, Consolas, monospace`;
    const longest = Math.max(...meta.labels.slice(state.from, state.to).map((l) => g.measureText(l).width));
    if (meta.text && (each >= longest + 1 || (each >= 11 && longest > 14))) {
      for (let t = state.from; t < state.to; t++) {
        g.save();
        g.translate(x(w, t + 0.5), tall + strip / 2);
        const wide = g.measureText(meta.labels[t]).width;
        if (wide > each) { g.rotate(-Math.PI / 2); g.fillText(meta.labels[t].slice(0, 5), 0, 0); }
        else g.fillText(meta.labels[t], 0, 0);
        g.restore();
      }
      return;
    }
    const room = Math.max(1, Math.floor(w / (meta.text ? 110 : Math.max(70, longest + 16))));
    g.fillStyle = colour.soft;
    g.font = "11px system-ui, sans-serif";
    for (let n = 0; n < room; n++) {
      const t = state.from + Math.floor((n + 0.5) / room * count), at = x(w, t + 0.5);
      g.fillText(meta.text ? meta.labels.slice(t, t + 12).join("").slice(0, 12) : meta.labels[t], at, tall + strip / 2 + 2);
      g.fillRect(at - 0.5, tall, 1, 4);
    }
  }
  function draw() {
    for (const { canvas, height, paint } of panels) {
      const w = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(height * ratio);
      const g = canvas.getContext("2d");
      g.scale(ratio, ratio);
      paint(g, w, height);
    }
    point();
  }
  // Where the mouse is: laid over the panels, so that none of them is drawn again.
  function point() {
    const lay = (node, on, from, to) => {
      node.hidden = !on;
      if (on) Object.assign(node.style, { left: x(100, from) + "%", width: `max(1px, ${x(100, to) - x(100, from)}%)` });
    };
    lay(cursor, hover, hover?.step, hover?.step + 1);
    lay(stretch, drag && drag.to !== drag.from, Math.min(drag?.from, drag?.to), Math.max(drag?.from, drag?.to) + 1);
    tell();
  }
  function tell() {
    const layer = current();
    if (!hover) {
      readout.textContent = `${layer.units.toLocaleString("en")} units, ${plural} ${state.from + 1} to ${state.to} of ${total}. ` +
        "Point at a map to read its numbers, click on a unit to compare it, drag over the steps to look closer.";
      return;
    }
    const t = column(layer, hover.step), parts = [`${meta.step} ${hover.step + 1} “${meta.labels[hover.step]}”`];
    if (hover.unit !== null) {
      parts.push(`unit ${hover.unit}` + (layer.timescales ? `, timescale ${spoken(layer.timescales[hover.unit])}` : ""));
      if (t >= 0 && t < layer.steps) parts.push(layer.keys.map((k) => `${k.key} ${value(k, hover.unit, t).toFixed(2)}`).join("  ").replaceAll("-", "−"));
    }
    for (const curve of meta.curves.slice(0, 6)) parts.push(`${curve.name} ${spoken(curve.y[hover.step])}`);
    readout.textContent = parts.join(" · ");
  }

  // -- the mouse -----------------------------------------------------------------------------------------------------
  let drag = null, waiting = false;
  const soon = (act) => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; act(); });
  };
  function watch({ canvas, rows }) {
    const step = (event) => Math.max(state.from, Math.min(state.to - 1,
      state.from + Math.floor(event.offsetX / canvas.clientWidth * (state.to - state.from))));
    const unit = (event) => rows ? order[Math.max(0, Math.min(order.length - 1,
      Math.floor(event.offsetY / canvas.clientHeight * order.length)))] ?? null : null;
    canvas.addEventListener("pointermove", (event) => {
      hover = { step: step(event), unit: unit(event) };
      if (drag) drag.to = step(event);
      soon(point);
    });
    canvas.addEventListener("pointerleave", () => { hover = null; drag = null; soon(point); });
    canvas.addEventListener("pointerdown", (event) => { if (event.pointerType === "mouse") drag = { from: step(event), to: step(event) }; });
    canvas.addEventListener("pointerup", (event) => {
      const done = drag;
      drag = null;
      if (done && Math.abs(done.to - done.from) > 1) {
        state.from = Math.min(done.from, done.to);
        state.to = Math.max(done.from, done.to) + 1;
        hover = null;
        changed("window");
      } else if (unit(event) !== null) pick(unit(event));
    });
    canvas.addEventListener("dblclick", () => { state.from = 0; state.to = total; changed("window"); });
  }

  fromAddress();
  tidy();
  colours();
  show();
  addEventListener("hashchange", () => { if (fromAddress()) { tidy(); show(); } });
  let wide = stage.clientWidth;
  new ResizeObserver(() => { if (stage.clientWidth !== wide) { wide = stage.clientWidth; draw(); } }).observe(stage);
  const again = () => { colours(); draw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["class"] });
  figure.dataset.drawn = "yes";
})();
