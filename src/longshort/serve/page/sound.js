// Sound in the browser: files to samples and back, the microphone, and a player. Samples are floats from −1 to 1.

/** One channel of a file that this browser can play, at a sample rate. */
export async function decoded(file, rate) {
  const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await file.arrayBuffer());
  const mixed = new Float32Array(buffer.length);
  for (let k = 0; k < buffer.numberOfChannels; k++) buffer.getChannelData(k).forEach((v, place) => { mixed[place] += v / buffer.numberOfChannels; });
  return mixed;
}

/** What a file is by its beginning; null if the service would not take it. */
export async function typeOf(file) {
  const head = new TextDecoder("latin1").decode(await file.slice(0, 4).arrayBuffer());
  return { RIFF: "audio/wav", RIFX: "audio/wav", RF64: "audio/wav", fLaC: "audio/flac", OggS: "audio/ogg" }[head] ?? null;
}

/** Samples of 16 bits, the lower byte first. */
export function pcm(samples) {
  const view = new DataView(new ArrayBuffer(2 * samples.length));
  samples.forEach((v, k) => view.setInt16(2 * k, Math.round(32767 * Math.max(-1, Math.min(1, v))), true));
  return new Uint8Array(view.buffer);
}

/** A WAV file of one channel. */
export function wav(samples, rate) {
  const head = new DataView(new ArrayBuffer(44)), bytes = 2 * samples.length;
  const text = (place, word) => [...word].forEach((sign, k) => head.setUint8(place + k, sign.charCodeAt(0)));
  text(0, "RIFF"); head.setUint32(4, 36 + bytes, true); text(8, "WAVEfmt ");
  head.setUint32(16, 16, true); head.setUint16(20, 1, true); head.setUint16(22, 1, true);
  head.setUint32(24, rate, true); head.setUint32(28, 2 * rate, true); head.setUint16(32, 2, true); head.setUint16(34, 16, true);
  text(36, "data"); head.setUint32(40, bytes, true);
  return new Blob([head, pcm(samples)], { type: "audio/wav" });
}

export function base64(bytes) {
  let text = "";
  for (let k = 0; k < bytes.length; k += 8192) text += String.fromCharCode(...bytes.subarray(k, k + 8192));
  return btoa(text);
}

export const unbase64 = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));

export function joined(chunks) {
  const all = new Float32Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let place = 0;
  for (const chunk of chunks) { all.set(chunk, place); place += chunk.length; }
  return all;
}

/** The microphone: hands on chunks of samples until it is stopped. */
export class Microphone {
  static get there() { return Boolean(navigator.mediaDevices?.getUserMedia && globalThis.AudioWorkletNode); }

  async start(heard) {
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
    } catch (error) {
      throw new Error(error.name === "NotAllowedError" ? "The browser was not allowed to use the microphone." : "There is no microphone that this browser can use.");
    }
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("/page/microphone.js");
    const tap = new AudioWorkletNode(this.context, "tap", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }) => heard(data);
    this.context.createMediaStreamSource(this.stream).connect(tap);
    await this.context.resume();
  }

  /** Samples a second. */
  get rate() { return this.context.sampleRate; }

  async stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    await this.context?.close();
  }
}

/** Plays samples; tells the second that is heard, and null at the end. */
export class Player {
  get playing() { return Boolean(this.source); }

  play(samples, rate, from, tell) {
    this.stop();
    this.context ??= new AudioContext();
    this.context.resume();
    const buffer = this.context.createBuffer(1, samples.length, rate);
    buffer.copyToChannel(samples, 0);
    const source = this.source = Object.assign(this.context.createBufferSource(), { buffer });
    source.connect(this.context.destination);
    const began = this.context.currentTime - from;
    source.start(0, from);
    this.tell = tell;
    source.onended = () => { if (this.source === source) this.stop(); };
    const step = () => { if (this.source === source) { tell(Math.min(this.context.currentTime - began, buffer.duration)); requestAnimationFrame(step); } };
    step();
  }

  stop() {
    if (!this.source) return;
    const source = this.source;
    this.source = null;
    source.stop();
    this.tell(null);
  }
}
