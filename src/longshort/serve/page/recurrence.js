// The equations of one LSTM cell and of one plain recurrent unit, each with one input and one unit.
// Gates in PyTorch's order: input i, forget f, candidate g, output o.

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

export const GATES = ["i", "f", "g", "o"];

/** One step of the LSTM: weights {i: {x, h, b}, …}, state {h, c}; gives the gates and the new state. */
export function lstmStep(weights, x, { h, c }) {
  const sum = (gate) => weights[gate].x * x + weights[gate].h * h + weights[gate].b;
  const i = sigmoid(sum("i")), f = sigmoid(sum("f")), g = Math.tanh(sum("g")), o = sigmoid(sum("o"));
  const next = f * c + i * g; // the old state is kept as far as f says, and something is added
  return { i, f, g, o, c: next, h: o * Math.tanh(next) };
}

/** One step of the plain unit: weights {x, h, b}, state {h}. */
export const rnnStep = (weights, x, { h }) => ({ h: Math.tanh(weights.x * x + weights.h * h + weights.b) });

/** All steps of both, from a state of zeros. */
export function run(lstm, rnn, inputs) {
  let one = { h: 0, c: 0 }, other = { h: 0 };
  return inputs.map((x) => {
    one = lstmStep(lstm, x, one);
    other = rnnStep(rnn, x, other);
    return { x, lstm: one, rnn: other };
  });
}

/** How much of a change of what was stored at step `from` is still there at each later step, relative to it.
 *  LSTM, along the cell: the product of the forget gates. Plain unit: the product of the slopes, w_h (1 − h²). */
export function kept(steps, rnn, from) {
  let cell = 1, unit = 1;
  return steps.slice(from + 1).map(({ lstm, rnn: { h } }) => {
    cell *= lstm.f;
    unit *= rnn.h * (1 - h * h);
    return { lstm: cell, rnn: Math.abs(unit) };
  });
}
