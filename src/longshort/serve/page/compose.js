// A composer: settings, a tune as a piano roll, as sound and as a file.

import { el, labelled, status } from "./dom.js";
import { post } from "./ask.js";
import { base64, unbase64 } from "./sound.js";
import { roll } from "./roll.js";
import { Synth } from "./synth.js";

const INSTRUMENTS = { "as it comes": null, piano: 0, vibraphone: 11, organ: 19, guitar: 24, bass: 32, violin: 40, choir: 52, trumpet: 56, saxophone: 65, flute: 73 };

export function build(run) {
  const { kind, bars: most, keys, learnt } = run.about;
  const number = (attributes) => el("input", { type: "number", ...attributes });
  const bars = number({ min: 1, max: most, value: Math.min(16, most), required: true }), tempo = number({ min: 4, max: 1000, step: "any", placeholder: "as it comes" });
  const seed = number({ min: 0, step: 1, placeholder: "any" }), novelty = el("input", { type: "checkbox", checked: true });
  const temperature = el("input", { type: "range", min: 0, max: 1.5, step: 0.05, value: 1, "aria-valuetext": "1" });
  const key = el("select", {}, el("option", { value: "free" }, "free"), el("option", { value: "kept" }, "kept as it begins"), keys.map((name) => el("option", {}, name)));
  const instrument = el("select", {}, Object.entries(INSTRUMENTS).map(([name, program]) => el("option", { value: program ?? "" }, name)));
  const file = el("input", { type: "file", accept: ".mid,.midi,.kar,audio/midi" });
  const write = el("button", { class: "main" }, "Compose"), play = el("button", { type: "button", disabled: true, onclick: () => (synth.playing ? synth.stop() : start()) }, "Play");
  const save = el("a", { class: "button", hidden: true, download: `${run.name}.mid` }, "Download MIDI");
  const told = status(), picture = el("div", {}), synth = new Synth();
  let tune = null, busy = false;

  temperature.addEventListener("input", () => temperature.setAttribute("aria-valuetext", temperature.value));
  addEventListener("hashchange", () => synth.stop());
  const value = (input) => (input.value === "" ? null : Number(input.value));

  function start() {
    synth.play(tune.notes, tune.tempo, (quarter) => { picture.firstChild?.at(quarter); if (quarter === null) play.textContent = "Play"; });
    play.textContent = "Stop playing";
  }
  async function compose(event) {
    event.preventDefault();
    if (busy) return;
    synth.stop();
    busy = true;
    told.say("Composing …");
    try {
      const before = file.files[0] ? base64(new Uint8Array(await file.files[0].arrayBuffer())) : null;
      tune = await post(`/runs/${run.name}/compose`, {
        bars: Number(bars.value), tempo: value(tempo), temperature: Number(temperature.value), key: key.value, seed: value(seed),
        instruments: instrument.value === "" ? [] : [Number(instrument.value)], midi: before, novelty: novelty.checked,
      });
      URL.revokeObjectURL(save.href);
      save.href = URL.createObjectURL(new Blob([unbase64(tune.midi)], { type: "audio/midi" }));
      save.hidden = false;
      play.disabled = !tune.notes.length;
      picture.replaceChildren(roll(tune));
      told.say(described(tune));
    } catch (error) { told.fail(error); }
    busy = false;
  }

  return [
    el("p", { class: "lead" }, `It learnt from ${learnt.toLocaleString("en")} tunes, as ${kind === "rolls" ? "piano rolls: which keys sound together" : "tokens: bar, place, pitch, length"}.`),
    el("form", { onsubmit: compose },
      el("div", { class: "fields" }, [["Bars", bars], ["Quarter notes a minute", tempo], ["Key", key], ["Instrument", instrument], ["Seed", seed], ["Temperature: how bold", temperature], ["A MIDI file to go on from", file]]
        .map(([name, input]) => el("div", {}, labelled(name, input)))),
      el("div", { class: "row" }, el("span", {}, labelled(" look for passages that it learnt", novelty, false).reverse())),
      el("div", { class: "row" }, write, play, save)),
    told, picture,
  ];
}

function described({ notes, seconds, tempo, key, density, copied }) {
  const parts = [`${notes.length} notes, ${seconds.toFixed(0)} seconds at ${Number(tempo.toFixed(1))} quarter notes a minute`];
  if (key) parts.push(`nearest to ${key}`, `${density.toFixed(1)} notes a quarter note`);
  const shared = copied && (copied.notes ? ` The longest passage of its melody that it learnt has ${copied.notes} of ${copied.of} notes (${copied.tune}).` : " No two notes of its melody are in a row in a tune that it learnt.");
  return `${parts.join(", ")}.${shared ?? ""}`;
}
