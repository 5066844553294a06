// Labels of the photographs: YOLO's .txt files, each of the photograph of its name.
import {isText, photographs} from '/photos.js';
import {t} from '/words.js';

const BYTES = 1 << 20; // the service's limit
const files = new Map(); // by name without extension
let changed, say;

const stem = (name) => name.replace(/\.[^.]*$/, '');
const same = (a, b) => a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;
// Another photograph has the same name: labels of that name could be of either.
const isAmbiguous = (p) => photographs().some((other) => stem(other.name) === stem(p.name) && !same(other, p));
const labelled = () => photographs().filter((p) => files.has(stem(p.name)) && !isAmbiguous(p));

// In the photographs' order; empty where no labels were given.
export function labels() {
  return labelled().map((p) => files.get(stem(p.name)));
}

// What is wrong with them, '' where nothing is.
export function labelsProblem() {
  const without = photographs().filter((p) => !files.has(stem(p.name)));
  const ambiguous = photographs().filter((p) => files.has(stem(p.name)) && isAmbiguous(p));
  if (ambiguous.length)
    return t('labelsAmbiguous', ambiguous.map((p) => p.name).join(', '));
  return files.size && without.length ? t('labelsMissing', without.map((p) => p.name).join(', ')) : '';
}

export function showLabels() {
  document.getElementById('labels-status').textContent = files.size ? t('labelsChosen', labelled().length) : '';
  document.getElementById('labels-remove').hidden = !files.size;
}

// A later file replaces one of its name; of two at once nobody knows which is meant.
export function takeLabels(given) {
  const wrong = [], count = (name) => given.filter((file) => stem(file.name) === stem(name)).length;
  for (const file of given)
    if (!isText(file))
      wrong.push(t('wrongLabels', file.name));
    else if (file.size > BYTES)
      wrong.push(t('tooLarge', file.name, BYTES / 1e6));
    else if (count(file.name) > 1)
      wrong.push(t('labelsTwice', file.name));
    else
      files.set(stem(file.name), file);
  document.getElementById('labels-box').open = true;
  showLabels();
  say(wrong.join(' '));
  changed();
}

// onChange(): other labels than before; onError(text): beside them, '' where there is none.
export function startLabels(onChange, onError) {
  const input = document.getElementById('labels'), choose = document.getElementById('labels-choose');
  changed = onChange;
  say = onError;
  choose.onclick = () => input.click();
  input.onchange = () => {
    const given = [...input.files];
    input.value = '';
    takeLabels(given);
  };
  document.getElementById('labels-remove').onclick = () => {
    files.clear();
    takeLabels([]);
    choose.focus();
  };
}
