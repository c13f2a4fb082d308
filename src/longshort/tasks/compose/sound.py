"""Notes made to sound: a small additive synthesiser, so that nothing needs a sound font.

A note is a sum of sine waves, the multiples of its frequency, which begin sharply and die away, the higher the sooner,
or are held, as the family of its instrument has it.
"""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longshort.data.midi import Notes

FloatArray = NDArray[np.float64]

# Samples a second; partials above half of it are left out.
RATE = 16_000
# Seconds in which a note begins and ends, so that it does not click.
ATTACK, RELEASE = 0.008, 0.08


@dataclass(frozen=True)
class Timbre:
    """How a family of instruments sounds.

    Attributes:
        partials: amplitudes of the multiples of the frequency, from the first one.
        half: seconds in which the first partial falls to a half; 0 if it is held.
    """

    partials: tuple[float, ...]
    half: float


STRUCK = Timbre((1.0, 0.5, 0.3, 0.2, 0.12, 0.08), 0.6)
PLUCKED = Timbre((1.0, 0.6, 0.45, 0.3, 0.2, 0.12, 0.08), 0.35)
HELD = Timbre((1.0, 0.5, 0.35, 0.22, 0.15, 0.1, 0.06), 0.0)
BLOWN = Timbre((1.0, 0.15, 0.3, 0.06, 0.12), 0.0)
# Of eight programs each, in General MIDI's order: piano, chromatic percussion, organ, guitar, bass, strings, ensemble,
# brass, reed, pipe; the rest is plucked.
FAMILIES = (STRUCK, STRUCK, HELD, PLUCKED, PLUCKED, HELD, HELD, HELD, BLOWN, BLOWN)


def render(notes: Notes, tempo: float, rate: int = RATE) -> FloatArray:
    """Samples of all notes, from −1 to 1, (N,).

    Args:
        notes: start and duration in quarter notes, pitch, program, (N, 4).
        tempo: quarter notes a minute.
        rate: samples a second.
    """
    second = 60 / tempo
    end = float((notes[:, 0] + notes[:, 1]).max(initial=0)) * second + RELEASE
    sound = np.zeros(int(np.ceil(end * rate)) + 1)
    made: dict[tuple[float, float, float], FloatArray] = {}
    for start, duration, pitch, program in notes.tolist():
        what = (duration, pitch, program)
        if what not in made:
            made[what] = _hit(rate) if program < 0 else _note(pitch, duration * second, int(program), rate)
        begin = int(start * second * rate)
        sound[begin : begin + len(made[what])] += made[what][: len(sound) - begin]
    loudest = np.abs(sound).max(initial=0)
    return sound * (0.9 / loudest) if loudest else sound


def wav(notes: Notes, tempo: float) -> bytes:
    """A WAV file, 16 bits, one channel."""
    samples = np.rint(render(notes, tempo) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def _note(pitch: float, seconds: float, program: int, rate: int) -> FloatArray:
    timbre = FAMILIES[program // 8] if program // 8 < len(FAMILIES) else PLUCKED
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    t = np.arange(max(1, int((seconds + RELEASE) * rate))) / rate
    sound = np.zeros(len(t))
    for number, amplitude in enumerate(timbre.partials, 1):
        if number * frequency >= rate / 2:
            break
        fades = 2 ** (-t * number**0.5 / timbre.half) if timbre.half else 1.0
        sound += amplitude * fades * np.sin(2 * np.pi * number * frequency * t)
    envelope = np.minimum(t / ATTACK, 1) * np.clip((seconds + RELEASE - t) / RELEASE, 0, 1)
    shaped: FloatArray = sound * envelope / sum(timbre.partials)
    return shaped


def _hit(rate: int) -> FloatArray:
    t = np.arange(int(0.12 * rate)) / rate
    noise: FloatArray = 0.4 * np.random.default_rng(0).uniform(-1, 1, len(t)) * 2 ** (-t / 0.02)
    return noise
