// A language model: what may come next while one types, its gates underneath, and texts of its own.

import { bars, el, labelled, shaded, status } from "./dom.js";
import { Session, events } from "./ask.js";
import { Gates } from "./gates.js";

// Log-probability at which a token is as surprising as can be shown, in nats.
const SURPRISE = 8;

export function build(run) {
  const { kind, layers, hidden_size: units, vocabulary } = run.about;
  const session = new Session(`/runs/${run.name}/session`);
  const input = el("textarea", { placeholder: "Type …", spellcheck: "false", autocomplete: "off" });
  const told = status(), likely = el("div", {}), surprise = el("div", {});
  const layer = el("select", {}, Array.from({ length: layers }, (_, k) => el("option", { value: k }, `layer ${k + 1}`)));
  const gates = new Gates(layer);
  let sent = null, tokens = [], logs = [], waiting = null;

  // What was typed since the last answer goes out as one message; a change further back begins anew.
  async function typed() {
    if (waiting) { waiting = "again"; return; }
    waiting = "once";
    const text = input.value, on = sent !== null && session.alive && text.startsWith(sent);
    try {
      const answer = await session.ask({ text: on ? text.slice(sent.length) : text, restart: !on, k: 8, gates: true, layer: Number(layer.value) });
      sent = text;
      tokens = [...(on ? tokens.slice(0, answer.begin) : []), ...answer.tokens];
      logs = [...(on ? logs.slice(0, answer.begin) : []), ...answer.log_probabilities];
      likely.replaceChildren(bars(answer.next.map(({ token, probability }) => [token, probability]), "The likeliest next tokens", take));
      gates.add(answer, on);
      surprise.replaceChildren(marks());
      told.say(logs.length ? `${logs.length} tokens; between how many equally likely ones it was torn on average: ${Math.exp(-mean(logs)).toFixed(1)}` : "");
      told.dataset.tokens = logs.length;
    } catch (error) { sent = null; told.fail(error); }
    const again = waiting === "again";
    waiting = null;
    if (again) typed();
  }
  const plain = (label) => label.replace(/␣/g, " ").replace(/↵/g, "\n");
  function take(label) {
    const between = kind === "words" && input.value && !/\s$/.test(input.value) ? " " : "";
    input.value += between + plain(label);
    input.focus();
    typed();
  }
  function marks() {
    let text = "";
    const stretches = tokens.map((label, k) => {
      const piece = kind === "words" && k && !/↵/.test(label) ? ` ${plain(label)}` : plain(label), begin = text.length;
      text += piece;
      return { begin, end: text.length, weight: Math.min(1, -logs[k] / SURPRISE) };
    });
    return shaded(text, stretches, "var(--i)", (weight) => `probability ${Math.exp(-weight * SURPRISE).toPrecision(2)}`);
  }
  layer.addEventListener("change", () => { sent = null; typed(); });
  input.addEventListener("input", typed);
  typed();

  return [
    el("p", { class: "lead" }, `It reads ${kind}, of which it knows ${vocabulary.toLocaleString("en")}, with ${layers} layer${layers > 1 ? "s" : ""} of ${units} units.`),
    labelled("Type a text", input), told,
    el("h3", {}, "What may come next"), likely,
    writer(run, input, typed),
    el("h3", {}, "What the gates do"), gates.box,
    el("h3", {}, "How it surprised"), el("p", { class: "lead" }, "The deeper the colour, the less it expected this."), surprise,
  ];
}

/** Writes on behind what stands there. */
function writer(run, input, typed) {
  const temperature = el("input", { type: "range", min: 0, max: 1.5, step: 0.1, value: 0.8, "aria-valuetext": "0.8" });
  const write = el("button", { type: "button", class: "main" }, "Write on"), stop = el("button", { type: "button", disabled: true }, "Stop");
  const told = status();
  let aborting = null;
  temperature.addEventListener("input", () => temperature.setAttribute("aria-valuetext", temperature.value));
  stop.addEventListener("click", () => aborting?.abort());
  write.addEventListener("click", async () => {
    aborting = new AbortController();
    [write.disabled, stop.disabled] = [true, false];
    told.say("Writing …");
    try {
      for await (const { pieces } of events(`/runs/${run.name}/generate`, { prompt: input.value, temperature: Number(temperature.value), length: 200 }, aborting.signal)) {
        input.value += pieces[0];
        input.scrollTop = input.scrollHeight;
        typed();
      }
      told.say("Done.");
    } catch (error) { error.name === "AbortError" ? told.say("Stopped.") : told.fail(error); }
    [write.disabled, stop.disabled] = [false, true];
  });
  return [el("div", { class: "row" }, write, stop, labelled("temperature (to the left the likeliest, to the right bolder) ", temperature, false)), told];
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
