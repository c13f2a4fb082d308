// A transcriber: a file or the microphone, what was said, and when; while it is said if the run is live.

import { el, labelled, percent, status } from "./dom.js";
import { Session, send } from "./ask.js";
import { Microphone, Player, base64, decoded, joined, pcm, typeOf, wav } from "./sound.js";
import { pictured } from "./wave.js";

// Chunks of the microphone in one message of a session.
const AT_ONCE = 6;

export function build(run) {
  const { live, rate, seconds: longest } = run.about, at = Math.max(8000, rate);
  if (!rate) return [el("p", { class: "lead" }, "This run was trained on features that were computed elsewhere, so that it cannot hear sound here.")];
  const file = el("input", { type: "file", accept: "audio/*,.wav,.flac,.ogg,.oga,.opus,.mp3" });
  const record = el("button", { type: "button", class: "main", disabled: !Microphone.there, onclick: () => (!microphone ? start() : microphone.context?.state === "running" && stop()) }, "Record");
  const play = el("button", { type: "button", disabled: true, onclick: () => (player.playing ? player.stop() : playFrom(0)) }, "Play");
  const level = el("meter", { min: 0, max: 1, value: 0, "aria-label": "Loudness", hidden: true });
  const told = status(), text = el("p", { class: "text answer", "aria-live": "polite", hidden: true }), picture = el("div", {});
  const session = live ? new Session(`/runs/${run.name}/session`) : null, player = new Player();
  // A take is a recording as it grows: all samples, those that wait to be sent, whether some were.
  let microphone = null, sound = null, take = null, sending = null;

  function say(value) { text.hidden = false; text.textContent = value || "(nothing)"; }
  function playFrom(second) {
    player.play(sound, at, second, (now) => { picture.firstChild?.at(now); if (now === null) play.textContent = "Play"; });
    play.textContent = "Stop playing";
  }
  function show(samples, answer) {
    say(answer.text);
    told.say(`${answer.words.length} word${answer.words.length === 1 ? "" : "s"} in ${answer.seconds.toFixed(1)} seconds, sure to ${percent(answer.confidence)} on average.${answer.clipped ? " It was recorded too loud." : ""}`);
    sound = samples;
    play.disabled = !samples;
    picture.replaceChildren(...(samples ? [pictured(samples, at, answer, playFrom)] : []));
  }
  function clear() { player.stop(); picture.replaceChildren(); text.replaceChildren(); text.hidden = true; play.disabled = true; }

  /** A file: sent as it is if the service reads it, else what the browser makes of it. */
  async function hear(given) {
    clear();
    told.say("Listening …");
    try {
      const samples = await decoded(given, at).catch(() => null), type = await typeOf(given);
      if (!samples && !type) throw new Error("This is no sound that the browser can read: give WAV, FLAC or OGG.");
      show(samples, await send(`/runs/${run.name}/predict?frames=true`, type ? given : wav(samples, at), type ?? "audio/wav"));
    } catch (error) { told.fail(error); }
  }

  async function start() {
    clear();
    take = { chunks: [], waiting: [], begun: false };
    microphone = new Microphone();
    told.say("Asking for the microphone …");
    try {
      await microphone.start(grow);
      record.textContent = "Stop";
      level.hidden = false;
      told.say(`Listening … It stops by itself after ${longest} seconds.`);
      text.hidden = !live;
    } catch (error) { await quit(); told.fail(error); }
  }
  function grow(chunk) {
    if (!microphone) return;
    take.rate = microphone.rate;
    take.chunks.push(chunk);
    level.value = Math.min(1, 3 * Math.sqrt(chunk.reduce((sum, v) => sum + v * v, 0) / chunk.length));
    if (live) { take.waiting.push(chunk); sending ??= pass(); }
    if (take.chunks.length * chunk.length > (longest - 1) * take.rate) stop();
  }
  /** Send what waits, and show what is known; at the end the whole answer. */
  async function pass(end = false) {
    try {
      do {
        if (take.begun && !session.alive) throw new Error("The session has ended: record anew.");
        const some = take.waiting.splice(0, AT_ONCE);
        const answer = await session.ask({ samples: base64(pcm(joined(some))), rate: take.rate, restart: !take.begun, last: end && !take.waiting.length });
        take.begun = true;
        if (answer.last) return answer;
        // A word is an element of its own, so that a screen reader reads those that are new.
        while (text.childElementCount > answer.begin) text.lastElementChild.remove();
        text.append(...answer.words.map((word) => el("span", {}, `${word.text} `)));
      } while (take.waiting.length || end);
    } catch (error) { await quit(); told.fail(error); } finally { sending = null; }
    return null;
  }
  async function quit() {
    const used = microphone;
    microphone = null;
    record.textContent = "Record";
    level.hidden = true;
    await used?.stop();
  }
  async function stop() {
    await quit();
    const samples = joined(take.chunks);
    if (!samples.length) { text.hidden = true; told.say("Nothing was recorded."); return; }
    if (!live) { await hear(wav(samples, take.rate)); return; }
    await sending;
    const answer = await pass(true);
    if (answer) show(await decoded(wav(samples, take.rate), at), answer);
  }

  file.addEventListener("change", () => file.files[0] && hear(file.files[0]));
  addEventListener("hashchange", () => { player.stop(); if (microphone) stop(); });
  const zone = el("div", { class: "drop" }, el("div", { class: "row" }, labelled("A recording: choose a file, or drop it here ", file, false)));
  for (const name of ["dragover", "dragleave", "drop"]) zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.toggle("over", name === "dragover"); });
  zone.addEventListener("drop", (event) => event.dataTransfer.files[0] && hear(event.dataTransfer.files[0]));
  return [
    el("p", { class: "lead" }, `It hears up to ${longest} seconds at ${rate.toLocaleString("en")} samples a second, and ${live ? "writes while you speak" : "reads a recording in both directions, so that it can write once it has ended"}.`),
    zone,
    el("div", { class: "row" }, record, play, level, Microphone.there ? null : el("span", { class: "lead" }, "The microphone can be used on this machine, or over https.")),
    told, text, picture,
  ];
}
