// Notes made to sound: each a sum of sine waves that dies away or is held, as the family of its instrument has it.

const STRUCK = [[1, 0.5, 0.3, 0.2, 0.12, 0.08], 0.6], PLUCKED = [[1, 0.6, 0.45, 0.3, 0.2, 0.12, 0.08], 0.35];
const HELD = [[1, 0.5, 0.35, 0.22, 0.15, 0.1, 0.06], 0], BLOWN = [[1, 0.15, 0.3, 0.06, 0.12], 0];
// Of eight programs each, in General MIDI's order; the rest is plucked.
const FAMILIES = [STRUCK, STRUCK, HELD, PLUCKED, PLUCKED, HELD, HELD, HELD, BLOWN, BLOWN];
// Seconds in which a note begins and ends; what is made ready ahead of time, and how often.
const ATTACK = 0.008, RELEASE = 0.08, AHEAD = 0.6, EVERY = 150;

export class Synth {
  get playing() { return Boolean(this.timer); }

  /** Play notes at a tempo; `tell` is called with the quarter note that is heard, and with null at the end. */
  play(notes, tempo, tell) {
    this.stop();
    this.tell = tell;
    const context = this.context ??= new AudioContext(), second = 60 / tempo, begin = context.currentTime + 0.1;
    context.resume();
    const out = this.out = context.createGain(), calm = context.createDynamicsCompressor();
    out.gain.value = 0.25;
    out.connect(calm).connect(context.destination);
    const end = notes.reduce((most, note) => Math.max(most, note.start + note.duration), 0) * second;
    let next = 0;
    const ready = () => {
      const now = context.currentTime - begin;
      for (; next < notes.length && notes[next].start * second < now + AHEAD; next++) this.#note(notes[next], begin, second);
      if (now > end + RELEASE) this.stop();
    };
    this.timer = setInterval(ready, EVERY);
    ready();
    const step = () => { if (this.out === out) { tell(Math.min(Math.max(0, context.currentTime - begin), end) / second); requestAnimationFrame(step); } };
    step();
  }

  stop() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = null;
    this.out.disconnect();
    this.out = null;
    this.tell(null);
  }

  #note({ start, duration, pitch, program, velocity }, begin, second) {
    const { context } = this, at = Math.max(context.currentTime, begin + start * second), end = at + Math.max(ATTACK, duration * second);
    const [partials, half] = program < 0 ? [[1], 0.03] : (FAMILIES[program >> 3] ?? PLUCKED), loud = velocity / 127;
    const gain = context.createGain();
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(loud, at + ATTACK);
    if (half) gain.gain.setTargetAtTime(0, at + ATTACK, half / Math.LN2);
    gain.gain.setTargetAtTime(0, end, RELEASE / 3);
    const source = program < 0 ? this.#hit() : this.#tone(partials, 440 * 2 ** ((pitch - 69) / 12));
    source.connect(gain).connect(this.out);
    source.start(at);
    source.stop((program < 0 ? at + 0.15 : end) + RELEASE);
    source.onended = () => gain.disconnect();
  }

  #tone(partials, frequency) {
    const node = this.context.createOscillator(), sum = partials.reduce((a, b) => a + b);
    node.setPeriodicWave(this.context.createPeriodicWave(new Float32Array(partials.length + 1), Float32Array.from([0, ...partials.map((v) => v / sum)]), { disableNormalization: true }));
    node.frequency.value = frequency;
    return node;
  }

  #hit() {
    const buffer = this.context.createBuffer(1, 0.12 * this.context.sampleRate, this.context.sampleRate);
    buffer.getChannelData(0).forEach((_, k, all) => { all[k] = Math.random() - 0.5; });
    return Object.assign(this.context.createBufferSource(), { buffer });
  }
}
