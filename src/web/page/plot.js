// The figure, as SVG. Colours are attributes: a saved figure needs no style sheet, and the
// Content-Security-Policy allows no style attribute.
import {readAt, samples, whole} from '/curve.js';
import {digits, number, t} from '/words.js';

// Okabe and Ito.
export const light = {
  ground: '#ffffff', ink: '#1b1f23', soft: '#4d5660', grid: '#dfe3e7',
  curve: '#0072B2', target: '#D55E00', pilot: '#000000', before: '#7d8790',
};
export const dark = {
  ground: '#15181b', ink: '#eceff1', soft: '#b3bcc4', grid: '#343b41',
  curve: '#56B4E9', target: '#E69F00', pilot: '#F0E442', before: '#8a949e',
};

const FONT = 'system-ui, sans-serif', SMALL = 12;

function make(name, attributes, ...children) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes))
    e.setAttribute(key, typeof value === 'number' ? +value.toFixed(2) : value);
  e.append(...children);
  return e;
}

function text(x, y, fill, words, more = {}) {
  return make('text', {x, y, fill, 'font-family': FONT, 'font-size': SMALL, ...more}, words);
}

let ruler;
function widthOf(words) {
  ruler ??= document.createElement('canvas').getContext('2d');
  ruler.font = `${SMALL}px ${FONT}`;
  return ruler.measureText(words).width;
}

// ---- axes ----

function scales({width, height, end, top}) {
  const box = {left: 42, right: width - 14, top, bottom: height - 42};
  const decades = Math.log10(end);
  return {
    box, end, decades,
    x: (n) => box.left + (box.right - box.left) * Math.log10(Math.max(n, 1)) / decades,
    y: (map) => box.bottom - (box.bottom - box.top) * Math.min(Math.max(map, 0), 1),
    size: (x) => 10 ** (decades * Math.min(Math.max((x - box.left) / (box.right - box.left), 0), 1)),
  };
}

function* drawAxes(s, c) {
  const {box} = s, line = (x1, y1, x2, y2) => make('line', {x1, y1, x2, y2, stroke: c.grid});
  for (let k = 0; k <= 5; k++) {
    const y = s.y(k / 5);
    yield line(box.left, y, box.right, y);
    yield text(box.left - 6, y + 4, c.soft, digits(k / 5, 1), {'text-anchor': 'end'});
  }
  const step = s.decades > 5 && box.right - box.left < 500 ? 2 : 1;
  for (let k = 0; k <= s.decades + 1e-9; k += step) {
    const x = s.x(10 ** k), last = k + step > s.decades;
    yield line(x, box.top, x, box.bottom);
    yield text(last ? box.right + 10 : x, box.bottom + 16, c.soft,
      number(10 ** k, k > 5 ? {notation: 'compact'} : {}), {'text-anchor': last ? 'end' : 'middle'});
  }
  yield text((box.left + box.right) / 2, box.bottom + 34, c.soft, t('axisN'), {'text-anchor': 'middle'});
  yield text(box.left - 36, box.top - 10, c.soft, 'mAP');
}

// ---- data ----

function path(s, n, values) {
  return n.map((x, i) => `${i ? 'L' : 'M'}${s.x(x).toFixed(1)} ${s.y(values[i]).toFixed(1)}`).join('');
}

function bandPath(s, d) {
  const back = d.n.map((_, i) => d.n.length - 1 - i);
  return `${path(s, d.n, d.low)}${back.map((i) => `L${s.x(d.n[i]).toFixed(1)} ${s.y(d.high[i]).toFixed(1)}`).join('')}Z`;
}

function diamond(x, y, fill, ground) {
  return make('path', {d: `M${x} ${y - 6}l6 6l-6 6l-6 -6z`, fill, stroke: ground, 'stroke-width': 1.5});
}

function* drawCurves(s, d, c) {
  if (d.low)
    yield make('path', {d: bandPath(s, d), fill: c.curve, 'fill-opacity': 0.2});
  if (d.pilot_n?.length)
    yield make('path', {d: path(s, d.n, d.before), fill: 'none', stroke: c.before, 'stroke-width': 2, 'stroke-dasharray': '2 4'});
  if (d.curve.length)
    yield make('path', {d: path(s, d.n, d.curve), fill: 'none', stroke: c.curve, 'stroke-width': 3});
  for (let i = 0; i < (d.pilot_n?.length ?? 0); i++)
    yield diamond(s.x(d.pilot_n[i]), s.y(d.pilot_map[i]), c.pilot, c.ground);
}

function* drawTarget(s, answer, c) {
  const {box} = s, y = s.y(answer.target), n = whole(answer.n);
  yield make('line', {x1: box.left, x2: box.right, y1: y, y2: y, stroke: c.target, 'stroke-width': 2, 'stroke-dasharray': '7 4'});
  if (answer.status !== 'ok' || n > s.end)
    return;
  const x = s.x(n), low = whole(answer.low ?? n), high = Math.min(whole(answer.high ?? n), s.end);
  if (low < high)
    yield make('line', {x1: s.x(low), x2: s.x(high), y1: y, y2: y, stroke: c.target, 'stroke-width': 6, 'stroke-opacity': 0.45});
  yield make('line', {x1: x, x2: x, y1: y, y2: box.bottom, stroke: c.target, 'stroke-width': 2, 'stroke-dasharray': '7 4'});
  yield make('circle', {cx: x, cy: y, r: 6, fill: c.target, stroke: c.ground, 'stroke-width': 2});
  const right = x > box.right - 90;
  yield text(x + (right ? -8 : 8), box.bottom - 8, c.ink, number(n),
    {'text-anchor': right ? 'end' : 'start', 'font-weight': 700, 'font-size': 14, stroke: c.ground, 'stroke-width': 3, 'paint-order': 'stroke'});
}

// ---- legend ----

function entries(reply, d, c) {
  const stroke = (color, more) => (x, y) => make('line', {x1: x, x2: x + 22, y1: y, y2: y, stroke: color, 'stroke-width': 3, ...more});
  const list = [{words: t('forecast'), mark: stroke(c.curve)}];
  if (d.low)
    list.push({words: t('band', reply.confidence), mark: (x, y) => make('rect', {x, y: y - 6, width: 22, height: 12, fill: c.curve, 'fill-opacity': 0.25})});
  list.push({words: t('wanted'), mark: stroke(c.target, {'stroke-width': 2, 'stroke-dasharray': '7 4'})});
  if (d.pilot_n?.length)
    list.push({words: t('pilotPoints'), mark: (x, y) => diamond(x + 11, y, c.pilot, c.ground)},
      {words: t('before'), mark: stroke(c.before, {'stroke-width': 2, 'stroke-dasharray': '2 4'})});
  return list;
}

// Where each entry goes, in as many rows as the width needs.
function placeLegend(list, width) {
  let x = 8, row = 0;
  for (const entry of list) {
    const w = 28 + widthOf(entry.words) + 16;
    if (x > 8 && x + w > width) {
      x = 8;
      row++;
    }
    Object.assign(entry, {x, row});
    x += w;
  }
  return (row + 1) * 20;
}

function* drawLegend(list, c, from) {
  for (const {x, row, words, mark} of list) {
    const y = from + 14 + 20 * row;
    yield mark(x, y - 4);
    yield text(x + 28, y, c.ink, words);
  }
}

function* drawHead(reply, width, c) {
  yield make('rect', {x: 0, y: 0, width: '100%', height: '100%', fill: c.ground});
  const four = ['A', 'B', 'C', 'D'].map((k) => `${k} = ${number(reply[k], {maximumSignificantDigits: 4})}`).join(', ');
  yield text(width / 2, 24, c.ink, four, {'text-anchor': 'middle', 'font-size': 14});
}

// ---- all of it ----

export function drawEmpty(svg, width, height, c) {
  const s = scales({width, height, end: 10000, top: 50});
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('aria-label', t('plotEmpty'));
  svg.replaceChildren(...drawAxes(s, c),
    text((s.box.left + s.box.right) / 2, (s.box.top + s.box.bottom) / 2, c.soft, t('plotEmpty'), {'text-anchor': 'middle', 'font-size': 14}));
}

// Draws a reply with the answer to the target; head: with A, B, C, D and a ground, for saving.
// Returns the scales, for who points at it.
export function drawPlot(svg, {reply, answer, width, height, colours: c, head, summary}) {
  const d = samples(reply), list = entries(reply, d, c), from = head ? 32 : 0;
  const s = scales({width, height, end: d.n.at(-1), top: from + placeLegend(list, width) + 28});
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('aria-label', t('plotTitle', answer.target, summary));
  svg.replaceChildren(...head ? drawHead(reply, width, c) : [], ...drawLegend(list, c, from),
    ...drawAxes(s, c), ...drawCurves(s, d, c), ...drawTarget(s, answer, c), make('g', {class: 'cross'}));
  return s;
}

// The nearest pilot result, where the pointer is on it.
function pilotNear(s, d, n) {
  const places = (d.pilot_n ?? []).map((x, i) => ({away: Math.abs(s.x(x) - s.x(n)), n: x, map: d.pilot_map[i]}));
  const [first] = places.sort((a, b) => a.away - b.away);
  return first?.away < 8 ? first : null;
}

// Marks the size on the figure; returns {n, map, low, high, pilot}.
export function readPlot(svg, s, reply, size, c) {
  const d = samples(reply), pilot = pilotNear(s, d, size);
  const n = pilot ? pilot.n : Math.round(size), at = (values) => values && readAt(d.n, values, n);
  const map = at(d.curve), x = s.x(n);
  svg.querySelector('.cross').replaceChildren(
    make('line', {x1: x, x2: x, y1: s.box.top, y2: s.box.bottom, stroke: c.ink, 'stroke-width': 1}),
    make('circle', {cx: x, cy: s.y(map), r: 4, fill: c.ink}));
  return {n, map, low: at(d.low), high: at(d.high), pilot: pilot?.map};
}
