// What can be taken away: the figure, the numbers, the command line.
import {samples} from '/curve.js';
import {drawPlot, light} from '/plot.js';

const WIDTH = 960, HEIGHT = 600;

function download(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function figure(reply, answer, summary) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('width', WIDTH);
  svg.setAttribute('height', HEIGHT);
  drawPlot(svg, {reply, answer, summary, width: WIDTH, height: HEIGHT, colours: light, head: true});
  return new Blob([new XMLSerializer().serializeToString(svg)], {type: 'image/svg+xml'});
}

async function picture(svg) {
  const image = new Image(), canvas = document.createElement('canvas');
  canvas.width = 2 * WIDTH;
  canvas.height = 2 * HEIGHT;
  image.src = URL.createObjectURL(svg);
  await image.decode();
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

function csv(reply) {
  const d = samples(reply), named = [['n', d.n], ['map', d.curve], ['low', d.low], ['high', d.high]];
  const columns = named.filter(([, values]) => values);
  const rows = d.curve.map((_, i) => columns.map(([, values]) => values[i]).join(','));
  return new Blob([columns.map(([name]) => name).join(','), '\n', rows.join('\n'), '\n'], {type: 'text/csv'});
}

// The service's own reply; where the slider has moved on, with the figures of that target and
// without those that only the service can find.
export function replyFor(reply, answer) {
  if (answer.target === reply.target)
    return reply;
  const {n_median, laplace_agrees, next_size, plan, ...rest} = reply;
  const real = (value) => Number.isFinite(value) ? value : null;
  const moved = {...rest, target: answer.target, status: answer.status, n: real(answer.n)};
  if ('low' in answer)
    Object.assign(moved, {n_low: real(answer.low), n_high: real(answer.high), probability_reachable: answer.reachable});
  return moved;
}

export async function save(kind, reply, answer, summary, cost) {
  const name = `pts-curve.${kind}`;
  if (kind === 'csv')
    return download(csv(reply), name);
  if (kind === 'json') {
    const body = replyFor(reply, answer);
    if (cost > 0)
      body.cost = Number.isFinite(answer.n) ? cost * Math.ceil(answer.n) : null;
    return download(new Blob([JSON.stringify(body, null, 1), '\n'], {type: 'application/json'}), name);
  }
  const svg = figure(reply, answer, summary);
  return download(kind === 'svg' ? svg : await picture(svg), name);
}

// ---- the command line ----

function quote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

// Which files hold the weights only the service's owner knows; the installed ones need no word.
function modelWords(model, labelled) {
  const [kind, name] = model.split(':');
  if (kind === 'prior')
    return ['--prior', name];
  if (kind === 'ptssp')
    return ['--mode', 'ptssp', '--weights', 'inception_v3.ptsw', '--weights', 'clip_vit.ptsw',
      '--head', 'HEAD_INCEPTION.ptsw', '--head', 'HEAD_CLIP.ptsw'];
  if (name === 'inception_v3')
    return [];
  const head = ['--head', `HEAD_${name.toUpperCase()}.ptsw`];
  return labelled ? head : ['--weights', `${name}.ptsw`, ...head]; // labels need no encoder
}

export function commandLine({target, confidence, cost, model, pilot, names, labels, className}) {
  const words = ['ptsinfer', 'predict', '--target', target, ...modelWords(model, labels.length)];
  if (confidence !== 0.8)
    words.push('--confidence', confidence);
  if (cost > 0)
    words.push('--cost-per-image', cost);
  if (pilot.length)
    words.push('--pilot', 'pilot.csv');
  for (const file of labels)
    words.push('--labels', file.name);
  if (labels.length && className)
    words.push('--class', className);
  if (names.some((name) => name.startsWith('-')))
    words.push('--');
  const table = pilot.map(([n, map]) => `${n},${map}\\n`).join('');
  const first = pilot.length ? `printf 'n,map\\n${table}' > pilot.csv\n` : '';
  return first + [...words, ...names].map((word) => quote(String(word))).join(' ');
}
