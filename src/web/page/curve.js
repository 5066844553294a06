// The learning curve's closed form, and the answer to any target from one reply of the service.

export function mapAt(c, n) {
  return (c.A - c.D) / (1 + (n / c.C) ** c.B) + c.D;
}

// The same curve with B > 0; null where the four numbers are none (the study's heads may say so).
export function canonical({A, B, C, D}) {
  if (![A, B, C, D].every(Number.isFinite) || B === 0 || C <= 0)
    return null;
  return B > 0 ? {A, B, C, D} : {A: D, B: -B, C, D: A};
}

// As pts_curve_size: the images that a target takes.
export function sizeFor(c, target) {
  const falls = c.A >= c.D;
  if (target <= c.A && (!falls || mapAt(c, 1) >= target))
    return {status: 'already_met', n: 0};
  if (falls || target >= c.D)
    return {status: 'unreachable', n: Infinity};
  const n = c.C * Math.exp((Math.log(target - c.A) - Math.log(c.D - target)) / c.B);
  if (!Number.isFinite(n))
    return {status: 'unreachable', n: Infinity};
  return {status: n <= 1 ? 'already_met' : 'ok', n};
}

// JSON has no infinity: the service says null.
const finite = (value) => value ?? Infinity;

// Between two of the table's targets, straight in ln n; past the last size it is out of reach.
function between(values, at, logarithmic) {
  const k = Math.min(Math.max(Math.floor(at + 1e-9), 0), values.length - 1);
  const share = at - k, low = finite(values[k]);
  if (share < 1e-9 || k + 1 === values.length)
    return low;
  const high = finite(values[k + 1]);
  if (!logarithmic || low <= 0)
    return low + share * (high - low);
  return Number.isFinite(high) ? low * (high / low) ** share : Infinity;
}

function fromTable(reply, target) {
  const d = reply.detail, at = target * 100 - 1;
  const {status, n} = sizeFor(reply, target);
  const low = between(d.sizes_low, at, true), high = between(d.sizes_high, at, true);
  return {target, status, n, low, high, reachable: between(d.reachable, at, false)};
}

function fromStudy(reply, target) {
  const curve = canonical(reply);
  const {status, n} = curve ? sizeFor(curve, target) : {status: 'unreachable', n: Infinity};
  return {target, status, n};
}

// low, high and reachable are absent in the study's mode, which has no spread.
export function answerFor(reply, target) {
  if (reply.mode === 'ptssp')
    return fromStudy(reply, target);
  if (target !== reply.target)
    return fromTable(reply, target);
  return {
    target, status: reply.status, n: finite(reply.n), low: finite(reply.n_low),
    high: finite(reply.n_high), reachable: reply.probability_reachable,
  };
}

// What is drawn: the service's samples, or for the study its page's own axis.
export function samples(reply) {
  if (reply.detail)
    return reply.detail;
  const n = Array.from({length: 200}, (_, i) => 10 ** (4 * i / 199));
  const c = canonical(reply);
  return {n, curve: c ? n.map((x) => Math.min(Math.max(mapAt(c, x), 0), 1)) : []};
}

// A sampled line at a size, straight in ln n.
export function readAt(n, values, size) {
  let k = n.findIndex((x) => x >= size);
  if (k <= 0)
    k = k < 0 ? n.length - 1 : 1;
  const share = Math.log(size / n[k - 1]) / Math.log(n[k] / n[k - 1]);
  return values[k - 1] + share * (values[k] - values[k - 1]);
}

// Whole images, as everywhere in this project.
export function whole(n) {
  return Math.ceil(Math.max(n, 1));
}
