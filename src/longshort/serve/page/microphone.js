// In the thread of the sound: hands on what the microphone hears, some milliseconds of it at a time.

class Tap extends AudioWorkletProcessor {
  constructor() { super(); this.held = new Float32Array(4096); this.count = 0; }

  process([channels]) {
    if (!channels.length) return true;
    for (let k = 0; k < channels[0].length; k++) {
      let sum = 0;
      for (const channel of channels) sum += channel[k];
      this.held[this.count++] = sum / channels.length;
      if (this.count === this.held.length) { this.port.postMessage(this.held.slice()); this.count = 0; }
    }
    return true;
  }
}

registerProcessor("tap", Tap);
