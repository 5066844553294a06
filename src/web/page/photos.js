// Four images in a 2×2 grid: chosen, dropped or pasted; each can be replaced or removed.
import {t} from '/words.js';

const FOUR = 4;
const files = Array(FOUR).fill(null), slots = [];
let input, limits = {image_bytes: 20e6}, replacing = null, changed, say, takeTexts;

export function photographs() {
  return files.filter(Boolean);
}

export function limitPhotographs(given) {
  limits = given;
}

export function isText(file) {
  return /\.txt$/i.test(file.name);
}

function element(name, attributes, ...children) {
  const e = document.createElement(name);
  Object.assign(e, attributes);
  e.append(...children);
  return e;
}

// By the first bytes, as the service does: a name says nothing.
async function isImage(file) {
  const b = new Uint8Array(await file.slice(0, 8).arrayBuffer());
  const starts = (...bytes) => bytes.every((x, i) => b[i] === x);
  return starts(0xFF, 0xD8, 0xFF) || starts(0x42, 0x4D) ||
    starts(0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A);
}

async function complaint(file) {
  if (!await isImage(file))
    return t('wrongType', file.name);
  return file.size > limits.image_bytes ? t('tooLarge', file.name, limits.image_bytes / 1e6) : '';
}

function showSlot(i) {
  const {item, add, picture, name, replace, remove} = slots[i], file = files[i];
  item.classList.toggle('full', Boolean(file));
  add.hidden = Boolean(file);
  for (const e of [picture, name, replace.parentNode])
    e.hidden = !file;
  add.textContent = t('choose', i + 1);
  replace.textContent = t('replace');
  remove.textContent = t('remove');
  if (!file)
    return;
  name.textContent = name.title = file.name;
  replace.setAttribute('aria-label', t('replaceName', file.name));
  remove.setAttribute('aria-label', t('removeName', file.name));
}

export function showPhotographs() {
  slots.forEach((_, i) => showSlot(i));
  document.getElementById('images-status').textContent = t('chosen', photographs().length);
}

function put(i, file) {
  const {picture} = slots[i];
  if (picture.src)
    URL.revokeObjectURL(picture.src);
  picture.removeAttribute('src');
  files[i] = file;
  if (file)
    picture.src = URL.createObjectURL(file);
}

async function take(given, at) {
  const wrong = [], extra = [];
  for (const file of given) {
    const problem = await complaint(file);
    const free = at ?? files.indexOf(null);
    at = null;
    if (problem)
      wrong.push(problem);
    else if (free < 0)
      extra.push(file.name);
    else
      put(free, file);
  }
  if (extra.length)
    wrong.push(t('tooMany', extra.join(', ')));
  showPhotographs();
  say(wrong.join(' '));
  changed();
}

function choose(i) {
  replacing = files[i] ? i : null;
  input.multiple = replacing === null;
  input.click();
}

function drop(i) {
  put(i, null);
  showPhotographs();
  say('');
  slots[i].add.focus();
  changed();
}

function makeSlot(i) {
  const add = element('button', {type: 'button', className: 'add'});
  const picture = element('img', {alt: ''}), name = element('p', {className: 'name'});
  const replace = element('button', {type: 'button'}), remove = element('button', {type: 'button'});
  const item = element('li', {}, add, picture, name, element('div', {className: 'tools'}, replace, remove));
  add.onclick = replace.onclick = () => choose(i);
  remove.onclick = () => drop(i);
  slots.push({item, add, picture, name, replace, remove});
  return item;
}

export function focusPhotographs() {
  (slots.find((s) => !s.add.hidden)?.add ?? slots[0].replace).focus();
}

function takeDropped(given) {
  const texts = given.filter(isText), images = given.filter((file) => !isText(file));
  if (texts.length)
    takeTexts(texts);
  if (images.length)
    take(images);
}

function acceptDrops(grid) {
  const over = (e, on) => {
    if (![...e.dataTransfer.types].includes('Files'))
      return;
    e.preventDefault();
    grid.classList.toggle('over', on);
  };
  document.addEventListener('dragover', (e) => over(e, true));
  document.addEventListener('dragleave', (e) => over(e, false));
  document.addEventListener('drop', (e) => {
    over(e, false);
    takeDropped([...e.dataTransfer.files]);
  });
  document.addEventListener('paste', (e) => {
    if (!e.clipboardData.files.length)
      return;
    e.preventDefault();
    takeDropped([...e.clipboardData.files]);
  });
}

// onChange(): other images than before; onError(text): beside the grid, '' where there is none;
// onTexts(files): .txt files that came with them.
export function startPhotographs(onChange, onError, onTexts) {
  changed = onChange;
  say = onError;
  takeTexts = onTexts;
  input = document.getElementById('images');
  const grid = document.getElementById('grid');
  for (let i = 0; i < FOUR; i++)
    grid.append(makeSlot(i));
  input.hidden = true;
  input.onchange = () => {
    const given = [...input.files], at = replacing;
    input.value = '';
    replacing = null;
    take(given, at);
  };
  acceptDrops(grid);
}
