// How the page asks the service: JSON, recordings, server-sent events, sessions.

const stored = { get key() { return sessionStorage.getItem("longshort-key"); }, set key(value) { sessionStorage.setItem("longshort-key", value); } };

async function newKey() {
  const dialog = document.getElementById("key");
  if (!dialog.open) dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  stored.key = document.getElementById("key-value").value;
}

async function fetched(path, options = {}) {
  for (;;) {
    const headers = { ...options.headers, ...(stored.key ? { Authorization: `Bearer ${stored.key}` } : {}) };
    let answer;
    try {
      answer = await fetch(path, { ...options, headers });
    } catch (error) {
      throw error.name === "AbortError" ? error : new Error("The service does not answer. Does it still run?");
    }
    if (answer.status === 401) { await newKey(); continue; }
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? `The service says ${answer.status}.`);
    return answer;
  }
}

const sent = (body, signal) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

export const get = async (path) => (await fetched(path)).json();
export const post = async (path, body) => (await fetched(path, sent(body))).json();

export const send = async (path, body, type) => (await fetched(path, { method: "POST", headers: { "Content-Type": type }, body })).json();

/** The data of each server-sent event, as they come. */
export async function* events(path, body, signal) {
  const reader = (await fetched(path, sent(body, signal))).body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    for (let end; (end = held.indexOf("\n\n")) >= 0; held = held.slice(end + 2)) {
      const lines = held.slice(0, end).split("\n");
      if (lines.some((line) => line === "event: end")) return;
      for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
    }
  }
}

/** A session over WebSocket: one message after the other, each with its answer. */
export class Session {
  constructor(path) { this.path = path; this.queue = Promise.resolve(); }

  /** Whether what was said before is still remembered. */
  get alive() { return this.socket?.readyState === WebSocket.OPEN; }

  /** Whether it was there and is no more. */
  get ended() { return this.socket?.readyState > WebSocket.OPEN; }

  ask(message) {
    const answered = this.queue.then(() => this.#send(message));
    this.queue = answered.catch(() => {});
    return answered;
  }

  async #send(message) {
    if (!this.alive) await this.#open();
    const text = await new Promise((done, failed) => {
      this.socket.onmessage = (event) => done(event.data);
      this.socket.onclose = (event) => failed(new Error(event.reason || "The session has ended."));
      this.socket.send(JSON.stringify(message));
    });
    const answer = JSON.parse(text);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  async #open() {
    const address = new URL(this.path, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const protocols = ["longshort"];
    if (stored.key) protocols.push(`longshort.key.${btoa(String.fromCharCode(...new TextEncoder().encode(stored.key))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`);
    this.socket = new WebSocket(address, protocols);
    await new Promise((done, failed) => {
      this.socket.onopen = done;
      this.socket.onclose = () => failed(new Error("No session could be opened: too many may be open, or the service has stopped."));
    });
  }
}
