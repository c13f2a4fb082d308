// A chatbot: a conversation that it remembers.

import { el, labelled, status } from "./dom.js";
import { Session } from "./ask.js";

export function build(run) {
  const session = new Session(`/runs/${run.name}/session`);
  const log = el("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": "Conversation", tabindex: "0" });
  const input = el("input", { type: "text", autocomplete: "off", required: true, maxlength: "2000" });
  const sample = el("input", { type: "checkbox" });
  const told = status();
  let begun = false;

  const say = (who, text, mine) => { log.append(el("p", { class: mine ? "mine" : null }, el("b", {}, who), text)); log.scrollTop = log.scrollHeight; };
  async function send(event) {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    if (begun && session.ended) say("—", "The session has ended; the conversation begins anew.", false);
    begun = true;
    input.value = "";
    say("You", text, true);
    told.say("…");
    try {
      const reply = await session.ask({ text, sample: sample.checked });
      say(run.about.speaker, reply.text || "(nothing)", false);
      told.say("");
    } catch (error) { told.fail(error); }
    input.focus();
  }
  async function anew() {
    log.replaceChildren();
    begun = false;
    try { if (session.alive) await session.ask({ restart: true }); told.say("A new conversation."); } catch (error) { told.fail(error); }
    input.focus();
  }
  return [
    log,
    el("form", { onsubmit: send }, labelled("Say something", input), el("div", { class: "row" }, el("button", { class: "main" }, "Send"),
      el("button", { type: "button", onclick: anew }, "New conversation"), labelled("draw replies instead of taking the likeliest", sample, false).reverse())),
    told,
  ];
}
