// The table of pilot results: typed, or pasted from a spreadsheet.
import {t} from '/words.js';

let body, changed;

// As people type them: decimal commas, blanks between thousands.
export function readNumber(text) {
  const plain = text.replace(/[\s\u00a0\u202f]/g, '').replace(',', '.');
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

// Cells by tabs or semicolons; else a comma or blanks stand between the two numbers.
function cells(line) {
  if (/[\t;]/.test(line))
    return line.split(/[\t;]/);
  return line.includes(',') && !/\s\S/.test(line.trim()) ? [line.slice(0, line.indexOf(',')),
    line.slice(line.indexOf(',') + 1)] : line.trim().split(/,?\s+/);
}

// Pasted text as [n, mAP] pairs of texts; a header is left out.
export function readCells(text) {
  const rows = text.split(/\r\n?|\n/).filter((line) => line.trim()).map(cells);
  return rows.length && Number.isNaN(readNumber(rows[0][0])) ? rows.slice(1) : rows;
}

function inputsOf(row) {
  return [...row.querySelectorAll('input')];
}

export function showPilot() {
  [...body.rows].forEach((row, i) => {
    const [n, map] = inputsOf(row), remove = row.querySelector('button');
    n.setAttribute('aria-label', t('rowN', i + 1));
    map.setAttribute('aria-label', t('rowMap', i + 1));
    remove.setAttribute('aria-label', t('rowRemove', i + 1));
  });
}

function removeRow(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  if (next)
    row.remove();
  else
    inputsOf(row).forEach((input) => { input.value = ''; });
  inputsOf(next ?? row)[0].focus();
  showPilot();
  changed();
}

function paste(event, row) {
  const text = event.clipboardData.getData('text');
  if (!/[\t;\n]/.test(text.trim()))
    return;
  event.preventDefault();
  for (const [n, map] of readCells(text)) {
    fillRow(row, n, map);
    row = row.nextElementSibling ?? addRow();
  }
  showPilot();
  changed();
}

function fillRow(row, n, map = '') {
  const inputs = inputsOf(row);
  inputs[0].value = n.trim();
  inputs[1].value = map.trim();
}

function addRow() {
  const row = body.insertRow();
  for (let k = 0; k < 2; k++) {
    const input = document.createElement('input');
    input.inputMode = 'decimal';
    input.autocomplete = 'off';
    input.addEventListener('paste', (event) => paste(event, row));
    row.insertCell().append(input);
  }
  const remove = document.createElement('button');
  remove.type = 'button';
  remove.textContent = '×';
  remove.onclick = () => removeRow(row);
  row.insertCell().append(remove);
  return row;
}

// The rows that have something in them, with their place in the table.
function filled() {
  return [...body.rows].map((row, i) => ({inputs: inputsOf(row), place: i + 1}))
    .filter(({inputs}) => inputs.some((input) => input.value.trim()));
}

// [[n, mAP], …] as numbers, or the first mistake.
export function readPilot() {
  const points = [];
  for (const {inputs, place} of filled()) {
    const [n, map] = inputs.map((input) => readNumber(input.value));
    if (!(Number.isInteger(n) && n >= 1 && n <= 1e9))
      return {error: t('wrongPilotN', place), input: inputs[0]};
    if (!(map >= 0 && map <= 100))
      return {error: t('wrongPilotMap', place), input: inputs[1]};
    points.push([n, map]);
  }
  return {points};
}

// For the link: what is typed, right or wrong.
export function pilotText() {
  return filled().map(({inputs}) => inputs.map((i) => i.value.trim().replace(',', '.')).join(':')).join(',');
}

export function setPilot(text) {
  body.replaceChildren();
  for (const pair of text ? text.split(',').slice(0, 1000) : [])
    fillRow(addRow(), ...pair.split(':', 2));
  while (body.rows.length < 2)
    addRow();
  showPilot();
}

export function startPilot(onChange) {
  changed = onChange;
  body = document.querySelector('#pilot-table tbody');
  document.getElementById('pilot-add').onclick = () => {
    inputsOf(addRow())[0].focus();
    showPilot();
  };
  body.addEventListener('input', changed);
  setPilot('');
}
