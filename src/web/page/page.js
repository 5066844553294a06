// The page: the question's fields, the request, the answer, and the state in the link.
import {AskError, getModels, predict, setToken} from '/ask.js';
import {answerFor, mapAt, whole} from '/curve.js';
import {labels, labelsProblem, showLabels, startLabels, takeLabels} from '/labels.js';
import {focusPhotographs, limitPhotographs, photographs, showPhotographs, startPhotographs} from '/photos.js';
import {pilotText, readNumber, readPilot, setPilot, showPilot, startPilot} from '/pilot.js';
import {dark, drawEmpty, drawPlot, light, readPlot} from '/plot.js';
import {commandLine, save} from '/save.js';
import {collectWords, currentLanguage, firstLanguage, number, setLanguage, t} from '/words.js';

const $ = (id) => document.getElementById(id);
const darkly = matchMedia('(prefers-color-scheme: dark)');
const colours = () => darkly.matches ? dark : light;

let models = null;   // the service's, when it has told them
let wantedModel = ''; // of the link
let asked = null;    // {reply, pilot, names, model, confidence, stamp}: what is on show
let answer = null;   // to the slider's target
let scale = null, abort = null;

// ---- fields ----

function showError(id, text, input) {
  const box = $(`${id}-error`), field = input ?? $(id);
  box.textContent = text;
  box.hidden = !text;
  if (!text)
    for (const e of id === 'pilot' ? document.querySelectorAll('#pilot-table input') : [field])
      e?.removeAttribute('aria-invalid');
  else
    field?.setAttribute('aria-invalid', 'true');
}

// mAP as the service reads it: a fraction, or percent.
function readTarget() {
  const value = readNumber($('target').value.replace('%', ''));
  return value > 1 && value < 100 ? value / 100 : value;
}

function inside(value) {
  return value > 0 && value < 1;
}

const isPrior = () => $('model').value.startsWith('prior:');
const takesLabels = () => $('model').selectedOptions[0]?.dataset.labels === 'true';
const isStudy = () => $('model').value === 'ptssp';
const readCost = () => $('cost').value.trim() ? readNumber($('cost').value) : 0;

// Each mistake beside what caused it; the first one gets the focus. null where there is one.
function readQuestion() {
  const pilot = readPilot(), target = readTarget(), confidence = readNumber($('confidence').value), cost = readCost();
  const count = photographs().length;
  const checks = [
    ['images', isPrior() || count === 4, t('needFour', count)],
    ['labels', !takesLabels() || !labelsProblem(), labelsProblem(), $('labels-choose')],
    ['target', inside(target), t('wrongTarget')],
    ['pilot', !pilot.error && !(isStudy() && pilot.points.length), pilot.error ?? t('pilotStudy'), pilot.input],
    ['confidence', inside(confidence), t('wrongConfidence')],
    ['cost', cost >= 0, t('wrongCost')],
  ];
  for (const [id, fine, text, input] of checks)
    showError(id, fine ? '' : text, input);
  const wrong = checks.find(([, fine]) => !fine);
  if (!wrong)
    return {pilot: pilot.points, target, confidence, cost, model: $('model').value, className: $('class').value.trim(),
      labels: takesLabels() ? labels() : []};
  focusField(wrong[0], wrong[3]);
  return null;
}

function focusField(id, input) {
  if (id === 'labels' || id === 'class')
    $('labels-box').open = true;
  if (id === 'images')
    focusPhotographs();
  else if (id === 'labels')
    $('labels-choose').focus();
  else
    (input ?? (id === 'pilot' ? document.querySelector('#pilot-table input') : $(id)))?.focus();
}

// ---- the models ----

function choices() {
  const encoders = models.encoders.filter((e) => e.head && models.modes.includes('pts'))
    .map((e) => [`pts:${e.arch}`, e.arch, e.head.trainer, e.head.takes_labels]);
  if (models.modes.includes('ptssp'))
    encoders.push(['ptssp', t('modelStudy')]);
  return [[t('photographs'), encoders],
    [t('past'), models.priors.map((p) => [`prior:${p.name}`, t('modelPrior', p), p.trainer])]];
}

function showModels() {
  const select = $('model'), before = wantedModel || select.value;
  if (!models)
    return;
  select.replaceChildren();
  for (const [label, list] of choices().filter(([, items]) => items.length)) {
    const group = document.createElement('optgroup');
    group.label = label;
    for (const [value, text, trainer, takes] of list) {
      const option = new Option(text, value, false, value === before);
      option.dataset.trainer = trainer ?? '';
      option.dataset.labels = takes ?? false;
      group.append(option);
    }
    select.append(group);
  }
  if (!select.options.length)
    select.append(new Option(t('modelNone'), ''));
  showModel();
}

// Photographs are not asked for where past curves stand for them.
function showModel() {
  const trainer = $('model').selectedOptions[0]?.dataset.trainer;
  $('model-hint').textContent = trainer ? t('trainer', trainer) : '';
  $('images-box').hidden = isPrior();
  $('labels-box').hidden = !takesLabels();
  if (!asked)
    $('interval').textContent = t(isPrior() ? 'waitingPast' : 'waiting');
}

async function loadModels() {
  try {
    models = await getModels();
    limitPhotographs(models.limits);
    showError('token', '');
    showModels();
  } catch (e) {
    if (e.status === 401)
      askToken();
    else
      showError('model', e.message);
  }
}

function askToken() {
  $('token-box').hidden = false;
  $('token-box').open = true;
  showError('token', t('needToken'));
}

// ---- the request ----

function makeForm(q) {
  const form = new FormData(), [kind, name] = q.model.split(':');
  form.append('target', q.target);
  form.append('confidence', q.confidence);
  form.append('detail', '1');
  if (q.cost > 0)
    form.append('cost_per_image', q.cost);
  if (q.pilot.length)
    form.append('pilot', q.pilot.map((point) => point.join('\t')).join('\n'));
  if (kind === 'prior')
    form.append('prior', name);
  else if (kind === 'ptssp')
    form.append('mode', kind);
  else if (name)
    form.append('encoder', name);
  for (const file of kind === 'prior' ? [] : photographs())
    form.append('images', file, file.name);
  for (const file of q.labels)
    form.append('labels', file, file.name);
  if (q.labels.length && q.className)
    form.append('class', q.className);
  return form;
}

function note(text, share) {
  const progress = $('progress');
  $('note').textContent = text;
  progress.hidden = !abort;
  if (share === undefined)
    progress.removeAttribute('value');
  else
    progress.value = share;
}

const fieldIds = {images: 'images', target: 'target', labels: 'labels', class: 'class', pilot: 'pilot', confidence: 'confidence',
  cost_per_image: 'cost',  encoder: 'model', mode: 'model', prior: 'model', token: 'token'};

function showFailure(e) {
  if (!(e instanceof AskError))
    throw e;
  if (e.status === 401)
    askToken();
  const id = e.status === 401 ? 'token' : fieldIds[e.field] ?? 'form';
  if (id !== 'token')
    showError(id, e.message);
  if (id !== 'form')
    focusField(id);
}

function working(on) {
  $('ask').setAttribute('aria-disabled', on);
  $('cancel').hidden = !on;
  $('answer').setAttribute('aria-busy', on);
}

async function askService() {
  const q = !abort && readQuestion();
  if (!q)
    return;
  abort = new AbortController();
  showError('form', '');
  working(true);
  const stamp = stampNow(), names = isPrior() ? [] : photographs().map((file) => file.name);
  try {
    const reply = await predict(makeForm(q), abort.signal, note);
    asked = {...q, reply, names, stamp};
    showAnswer(q.target);
    $('answer-title').focus({preventScroll: innerWidth >= 960});
  } catch (e) {
    showFailure(e);
  } finally {
    abort = null;
    note('', 0);
    working(false);
  }
}

// ---- the answer ----

function headline() {
  const {reply} = asked, {target, status, n, low, high} = answer;
  if (status === 'already_met')
    return [t('alreadyMet'), t('starts', target, mapAt(reply, 1))];
  if (status === 'unreachable')
    return [t('unreachable'), reply.mode && !(reply.C > 0 && reply.B !== 0) ? t('noCurve')
      : t('levels', target, reply.plateau ?? (reply.B > 0 ? reply.D : reply.A), reply.plateau_error)];
  if (low === undefined)
    return [t('size', n), t('noInterval', target)];
  if (!Number.isFinite(low))
    return [t('size', n), t('intervalNone', target, reply.confidence)];
  return [t('size', n), Number.isFinite(high) ? t('interval', target, reply.confidence, low, high)
    : t('intervalOpen', target, reply.confidence, low)];
}

function origin() {
  const {reply, names} = asked, points = reply.pilot_points;
  if (reply.mode)
    return t('fromStudy');
  if (reply.prior === 'photographs')
    return t('from', reply.encoder, points);
  if (reply.prior === 'labels')
    return t('fromLabels', reply.labels.objects);
  return names.length ? t('fromPilot', points) : t('fromPrior', points);
}

function facts() {
  const {reply} = asked, cost = readCost(), list = [];
  if (cost > 0 && Number.isFinite(answer.n))
    list.push(t('cost', cost * whole(answer.n)));
  if (answer.reachable !== undefined)
    list.push(t('reachable', answer.target, answer.reachable));
  if (reply.next_size)
    list.push(t('next', reply.target, reply.next_size));
  list.push(origin());
  if (reply.trainer)
    list.push(t('trainer', reply.trainer));
  return list;
}

// The service's own words are English.
function caveats() {
  const {reply} = asked, list = (reply.caveats ?? []).map((text) => ({text: `${text}.`, lang: 'en'}));
  if (reply.prior === 'photographs' && !reply.uses_photographs)
    list.push({text: t('sameForAll')});
  if (!reply.mode && !reply.pilot_points)
    list.push({text: t({photographs: 'little', labels: 'littleLabels', past_curves: 'littlePast'}[reply.prior])});
  const exact = answer.target === reply.target || Math.abs(answer.target * 100 - Math.round(answer.target * 100)) < 1e-9;
  if (!exact && answer.low !== undefined)
    list.push({text: t('betweenTargets')});
  return list;
}

function showList(id, items) {
  $(id).replaceChildren(...items.map(({text, lang}) => {
    const item = document.createElement('li');
    item.textContent = text;
    if (lang)
      item.lang = lang;
    return item;
  }));
}

function showText() {
  const [size, interval] = headline();
  if ($('size').textContent !== size)
    $('size').textContent = size;
  $('interval').textContent = interval;
  showList('facts', facts().map((text) => ({text})));
  showList('caveats', caveats());
  $('caveats-title').hidden = !$('caveats').children.length;
  for (const name of ['A', 'B', 'C', 'D'])
    $(name).textContent = number(asked.reply[name], {maximumSignificantDigits: 4});
  $('command').textContent = commandLine({...asked, target: answer.target, cost: readCost()});
  $('details').hidden = false;
}

// Drawn at the size that it has, so that its letters are neither small on a phone nor large on a
// wide screen.
function showPlot() {
  const svg = $('svg'), {width, height} = $('plot').getBoundingClientRect();
  if (!width)
    return;
  $('reader').hidden = !asked?.reply.A && !asked?.reply.D;
  $('readout').textContent = asked ? t('readHint') : '';
  if (!asked) {
    drawEmpty(svg, width, height, colours());
    return;
  }
  scale = drawPlot(svg, {reply: asked.reply, answer, width, height, colours: colours(), summary: headline().join('. ')});
  $('reader').setAttribute('aria-valuemax', scale.end);
}

function showAnswer(target) {
  answer = answerFor(asked.reply, target);
  showText();
  showPlot();
  showStale();
}

// ---- reading values off the figure ----

let reading = 1;

function readValues(n) {
  if (!asked || !(asked.reply.C > 0) || asked.reply.B === 0)
    return;
  const r = readPlot($('svg'), scale, asked.reply, Math.min(Math.max(n, 1), scale.end), colours());
  reading = r.n;
  const text = t('read', r.n, r.map, r.low, r.high) + (r.pilot === undefined ? '' : t('readPilot', r.pilot));
  $('readout').textContent = text;
  $('reader').setAttribute('aria-valuenow', r.n);
  $('reader').setAttribute('aria-valuetext', text);
}

function readByKey(event) {
  const step = Math.max(1, Math.round(reading * (event.shiftKey ? 0.5 : 0.1)));
  const moves = {ArrowRight: reading + step, ArrowUp: reading + step, ArrowLeft: reading - step, ArrowDown: reading - step,
    PageUp: reading * 10, PageDown: reading / 10, Home: 1, End: scale?.end};
  if (!(event.key in moves))
    return;
  event.preventDefault();
  readValues(moves[event.key]);
}

function startReader() {
  const reader = $('reader');
  const point = (event) => scale && readValues(scale.size(event.clientX - reader.getBoundingClientRect().left));
  reader.addEventListener('pointermove', point);
  reader.addEventListener('pointerdown', point);
  reader.addEventListener('pointerleave', () => asked && document.activeElement !== reader && showPlot());
  reader.addEventListener('focus', () => readValues(answer?.status === 'ok' ? whole(answer.n) : reading));
  reader.addEventListener('blur', () => asked && showPlot());
  reader.addEventListener('keydown', readByKey);
}

// ---- the link ----

function state() {
  const all = {target: $('target').value, confidence: $('confidence').value, cost: $('cost').value,
    model: $('model').value || wantedModel, pilot: pilotText(), lang: currentLanguage()};
  return new URLSearchParams(Object.entries(all).filter(([, value]) => value)).toString();
}

// Browsers throttle changes of the address, and a slider makes many.
let stateTimer = 0;
function keepState() {
  clearTimeout(stateTimer);
  stateTimer = setTimeout(() => history.replaceState(null, '', `#${state()}`), 300);
}

function restoreState() {
  const given = new URLSearchParams(location.hash.slice(1));
  setLanguage(given.get('lang') ?? firstLanguage());
  for (const id of ['target', 'confidence', 'cost'])
    if (given.has(id))
      $(id).value = given.get(id);
  if (given.has('pilot'))
    setPilot(given.get('pilot'));
  wantedModel = given.get('model') ?? wantedModel;
  moveSliders();
}

// What the answer depends on beyond the target.
function stampNow() {
  const files = isPrior() ? [] : photographs().map((f) => `${f.name}/${f.size}/${f.lastModified}`);
  const texts = takesLabels() ? labels().map((f) => `${f.name}/${f.size}/${f.lastModified}`) : [];
  return JSON.stringify([$('confidence').value, $('model').value, pilotText(), files, texts, texts.length && $('class').value]);
}

function showStale() {
  $('stale').textContent = asked && asked.stamp !== stampNow() ? t('stale') : '';
}

// ---- what moves ----

function moveSliders() {
  const target = readTarget();
  for (const id of ['slider', 'slider-near'])
    if (inside(target))
      $(id).value = target;
}

function targetMoved() {
  const target = readTarget();
  moveSliders();
  if (inside(target))
    showError('target', '');
  if (asked && inside(target))
    showAnswer(target);
  keepState();
}

function changed() {
  keepState();
  if (!asked)
    return;
  showText();
  showStale();
}

function photographsChanged() {
  showLabels();
  changed();
}

function showLanguage(language) {
  setLanguage(language);
  showPhotographs();
  showLabels();
  showPilot();
  showModels();
  for (const e of document.querySelectorAll('.error'))
    e.hidden = true; /* they are in the other language */
  if (asked)
    showAnswer(answer.target);
  else
    showPlot();
}

async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    $('copied').textContent = t(done);
  } catch {
    $('copied').textContent = t('notCopied');
  }
}

function startFields() {
  $('target').addEventListener('input', targetMoved);
  for (const id of ['slider', 'slider-near'])
    $(id).addEventListener('input', () => {
      $('target').value = $(id).value;
      targetMoved();
    });
  for (const id of ['confidence', 'cost', 'class'])
    $(id).addEventListener('input', () => {
      showError(id, '');
      changed();
    });
  $('model').addEventListener('change', () => {
    wantedModel = '';
    showError('model', '');
    showModel();
    changed();
  });
  $('token').addEventListener('change', () => {
    setToken($('token').value);
    loadModels();
  });
}

function startButtons() {
  $('form').addEventListener('submit', (event) => {
    event.preventDefault();
    askService();
  });
  $('cancel').addEventListener('click', () => {
    abort?.abort();
    $('ask').focus();
  });
  for (const e of document.querySelectorAll('[data-lang]'))
    e.addEventListener('click', () => {
      showLanguage(e.dataset.lang);
      keepState();
    });
  for (const e of document.querySelectorAll('[data-save]'))
    e.addEventListener('click', () => save(e.dataset.save, asked.reply, answer, headline().join('. '), readCost()));
  $('copy').addEventListener('click', () => copy($('command').textContent, 'copied'));
  $('link').addEventListener('click', () => copy(`${location.origin}/#${state()}`, 'linkCopied'));
}

function showScripted() {
  for (const e of document.querySelectorAll('.live'))
    e.hidden = e.id === 'cancel';
  for (const e of document.querySelectorAll('.plain'))
    e.hidden = true;
  $('token-box').hidden = true;
}

function start() {
  showScripted();
  collectWords();
  startPhotographs(photographsChanged, (text) => showError('images', text), takeLabels);
  startLabels(changed, (text) => showError('labels', text));
  startPilot(() => {
    showError('pilot', '');
    changed();
  });
  startFields();
  startButtons();
  startReader();
  restoreState();
  showLanguage(currentLanguage());
  addEventListener('hashchange', () => {
    restoreState();
    showLanguage(currentLanguage());
    targetMoved();
  });
  darkly.addEventListener('change', showPlot);
  new ResizeObserver(showPlot).observe($('plot'));
  performance.mark('interactive');
  loadModels();
}

start();
