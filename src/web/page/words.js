// The page's words. English ones that stand in index.html are taken from there.

import {whole} from '/curve.js';

let language = 'en';

const billion = 1e9; // past it the digits mean nothing

export function number(value, options) {
  return new Intl.NumberFormat(language, options).format(value);
}

export function digits(value, most) {
  return number(value, {maximumFractionDigits: most, useGrouping: false});
}

function size(n) {
  return n > billion ? t('billion') : number(whole(n));
}

function percent(share) {
  return digits(100 * share, 1) + '\u00a0%';
}

function plural(n, forms) {
  return forms[new Intl.PluralRules(language).select(n)] ?? forms.many;
}

const images = {one: 'изображение', few: 'изображения', many: 'изображений'};
const labelled = {one: 'размеченное', few: 'размеченных', many: 'размеченных'};
// Trainers that we ship are named in English by the files themselves.
const trainers = {'the built-in segmenter': 'встроенный сегментатор',
  'the built-in segmenter (our curves)': 'встроенный сегментатор (наши кривые)',
  'YOLOv8m-seg, fine-tuned (the study\'s curves)': 'YOLOv8m-seg, дообученная (кривые исследования)'};
const results = {one: 'пробному обучению', few: 'пробным обучениям', many: 'пробным обучениям'};

const en = {
  billion: 'over a billion',
  size: (n) => `${size(n)} labelled ${n <= 1 ? 'image' : 'images'}`,
  alreadyMet: 'Met by the first labelled image',
  unreachable: 'Out of reach',
  starts: (target, map) => `mAP ${digits(target, 4)}: the curve starts at ${digits(map, 2)}.`,
  levels: (target, plateau, error) => `The most probable curve does not reach mAP ${digits(target, 4)}: it levels off at ` +
    `${digits(plateau, 2)}${error === undefined ? '' : ` ± ${digits(error, 2)}`}.`,
  noCurve: 'The four numbers of the study’s heads are no learning curve (B = 0 or C ≤ 0).',
  noInterval: (target) => `For mAP ${digits(target, 4)}. The study’s heads give no interval.`,
  interval: (target, p, low, high) => `For mAP ${digits(target, 4)}. With a probability of ${percent(p)} between ` +
    `${size(low)} and ${size(high)}.`,
  intervalOpen: (target, p, low) => `For mAP ${digits(target, 4)}. With a probability of ${percent(p)}: ` +
    `${size(low)} or more; the interval’s upper end is out of reach.`,
  intervalNone: (target, p) => `For mAP ${digits(target, 4)}. Both ends of the ${percent(p)} interval are out of reach.`,
  reachable: (target, p) => `Probability that mAP ${digits(target, 4)} can be reached at all: ${percent(Math.round(100 * p) / 100)}.`,
  cost: (cost) => `Labelling costs about ${number(cost, {maximumSignificantDigits: 6})}.`,
  next: (target, n) => `What would narrow the interval for mAP ${digits(target, 4)} most: one training with ${number(n)} images.`,
  from: (encoder, points) => `From four photographs (${encoder})` +
    (points ? ` and ${points} pilot ${points === 1 ? 'result' : 'results'}.` : ' alone.'),
  fromPrior: (points) => 'From past curves' +
    (points ? ` and ${points} pilot ${points === 1 ? 'result' : 'results'}, without photographs.` : ' alone, without photographs.'),
  fromPilot: (points) => `From past curves and ${points} pilot ${points === 1 ? 'result' : 'results'}: beside them photographs ` +
    'and their labels have not made forecasts better, and take no part.',
  fromLabels: (objects) => `From the labels of four photographs (${objects} ${objects === 1 ? 'object' : 'objects'}) alone.`,
  fromStudy: 'From four photographs, as the study’s page has it: A and B by InceptionV3, C and D by CLIP.',
  trainer: (name) => `The curve is that of ${name}.`,
  little: 'Photographs alone say little: on data sets it has not seen, the forecast errs by about 0.25 mAP. Pilot results help far more.',
  littleLabels: 'Labels of four photographs say more than the photographs, and little: on data sets it has not seen, the forecast errs by about 0.22 mAP. Pilot results help far more.',
  littlePast: 'Past curves of other tasks say little about yours. Pilot results help far more.',
  waitingPast: 'Give the wanted mAP, then press Predict.',
  sameForAll: 'This head gives the same curve for all photographs.',
  betweenTargets: 'The interval is read between two computed targets; press Predict for the exact one.',

  choose: (n) => `Add image ${n}`,
  chosen: (n) => n === 4 ? 'All four are there.' : `${n} of 4 chosen, ${4 - n} to go.`,
  needFour: (n) => `Four images are needed, ${n === 0 ? 'there are none' : `there ${n === 1 ? 'is' : 'are'} ${n}`}.`,
  tooMany: (names) => `Four images are enough. Left out: ${names}.`,
  wrongType: (name) => `${name}: not a JPEG, PNG or BMP image.`,
  tooLarge: (name, megabytes) => `${name}: larger than ${number(megabytes)} MB.`,
  replace: 'Replace', remove: 'Remove',
  replaceName: (name) => `Replace ${name}`, removeName: (name) => `Remove ${name}`,

  wrongLabels: (name) => `${name}: not a .txt file.`,
  labelsChosen: (n) => `For ${n} of 4 photographs.`,
  labelsMissing: (names) => `No labels of ${names}: expected a .txt file of each photograph’s name, or none at all.`,
  labelsAmbiguous: (names) => `Labels of one name for several photographs: ${names}. Expected photographs of different names.`,
  labelsTwice: (name) => `${name}: expected one file of the name, got several at once.`,
  wrongTarget: 'Expected a number between 0 and 1, or a percentage.',
  wrongConfidence: 'Expected a number above 0 and below 1.',
  wrongCost: 'Expected a number, 0 or more.',
  wrongPilotN: (row) => `Row ${row}: expected a whole number of images, 1 or more.`,
  wrongPilotMap: (row) => `Row ${row}: expected an mAP from 0 to 1, or percent.`,
  pilotStudy: 'The study’s mode cannot use pilot results.',
  rowN: (row) => `Row ${row}, images`, rowMap: (row) => `Row ${row}, mAP`, rowRemove: (row) => `Remove row ${row}`,

  photographs: 'Photographs', past: 'Past curves, no photographs',
  modelStudy: 'both heads of the study (no interval)',
  modelPrior: (p) => `${p.name}: ${p.curves} curves of ${p.datasets} data sets`,
  modelNone: 'no head is installed',
  sending: (share) => `Sending the images: ${percent(share)}`,
  encoding: 'The encoder is at work …',
  busy: (seconds) => `The service is busy; trying again in ${seconds} s.`,
  tooBusy: 'The service stays busy. Please try again later.',
  offline: 'The service does not answer.',
  stopped: 'Cancelled.',
  needToken: 'This service asks for a token.',
  stale: 'The question has changed since: press Predict for the new answer.',
  copied: 'Copied.', linkCopied: 'The link is copied.', notCopied: 'Not copied: the browser forbids it.',

  axisN: 'images for training', forecast: 'forecast', band: (p) => `${percent(p)} band`, before: 'before the pilot',
  pilotPoints: 'pilot results', wanted: 'wanted mAP',
  plotEmpty: 'The predicted curve will be drawn here',
  plotTitle: (target, text) => `Curve of mAP against the number of training images. Wanted mAP ${digits(target, 4)}: ${text}`,
  read: (n, map, low, high) => `${number(n)} ${n === 1 ? 'image' : 'images'}: mAP ${digits(map, 3)}` +
    (low === undefined ? '' : `, band ${digits(low, 3)} … ${digits(high, 3)}`),
  readPilot: (map) => `, measured ${digits(map, 3)}`,
};

const ru = {
  title: 'Сколько нужно размеченных изображений?',
  intro: 'Четыре фотографии задачи сегментации и желаемый mAP: размер обучающей выборки, которого хватит.',
  question: 'Вопрос', images: 'Выберите 4 изображения',
  imagesHint: 'JPEG, PNG или BMP того, что предстоит размечать.',
  imagesWays: 'Выберите их, перетащите сюда или вставьте.',
  labelsSummary: 'Их разметка, если она есть',
  labelsHint: 'Файлы .txt в формате YOLO, с именами фотографий. Они говорят больше, чем вид фотографий.',
  labelsChoose: 'Выбрать файлы .txt', labelsRemove: 'Убрать их', labelsClass: 'Номер класса, если их несколько',
  target: 'Желаемый mAP, от 0 до 1', targetSlider: 'Желаемый mAP', model: 'Предсказать по',
  pilot: 'Пробные обучения, если они есть',
  pilotHint: 'mAP после обучения на немногих изображениях. Они уточняют ответ сильнее всего.',
  pilotN: 'Изображений', pilotAdd: 'Добавить строку', pilotPaste: 'Можно вставить ячейки из таблицы.',
  confidence: 'Доверие, от 0 до 1', costLabel: 'Цена изображения',
  tokenSummary: 'Токен доступа, если служба его требует', token: 'Токен',
  ask: 'Предсказать', cancel: 'Отменить', answer: 'Ответ',
  waiting: 'Дайте четыре изображения и желаемый mAP и нажмите «Предсказать».',
  reader: 'Прочесть кривую при размере выборки',
  readHint: 'Наведите указатель на кривую или читайте её стрелками.',
  caveats: 'Что учесть', save: 'Сохранить', copyLink: 'Скопировать ссылку без изображений',
  command: 'То же в командной строке:', copy: 'Скопировать команду',

  billion: 'больше миллиарда',
  size: (n) => n > billion ? 'Больше миллиарда размеченных изображений'
    : `${size(n)} ${plural(whole(n), labelled)} ${plural(whole(n), images)}`,
  alreadyMet: 'Достаточно одного размеченного изображения',
  unreachable: 'Недостижимо',
  starts: (target, map) => `mAP ${digits(target, 4)}: кривая начинается с ${digits(map, 2)}.`,
  levels: (target, plateau, error) => `Самая вероятная кривая не достигает mAP ${digits(target, 4)}: она выходит на ` +
    `${digits(plateau, 2)}${error === undefined ? '' : ` ± ${digits(error, 2)}`}.`,
  noCurve: 'Четыре числа сетей исследования не образуют кривой (B = 0 или C ≤ 0).',
  noInterval: (target) => `Для mAP ${digits(target, 4)}. Сети исследования не дают интервала.`,
  interval: (target, p, low, high) => `Для mAP ${digits(target, 4)}. С вероятностью ${percent(p)}: от ${size(low)} до ${size(high)}.`,
  intervalOpen: (target, p, low) => `Для mAP ${digits(target, 4)}. С вероятностью ${percent(p)}: от ${size(low)}; верхняя граница интервала недостижима.`,
  intervalNone: (target, p) => `Для mAP ${digits(target, 4)}. Обе границы интервала ${percent(p)} недостижимы.`,
  reachable: (target, p) => `Вероятность, что mAP ${digits(target, 4)} вообще достижим: ${percent(Math.round(100 * p) / 100)}.`,
  cost: (cost) => `Разметка обойдётся примерно в ${number(cost, {maximumSignificantDigits: 6})}.`,
  next: (target, n) => `Сильнее всего интервал для mAP ${digits(target, 4)} сузит одно обучение, изображений: ${number(n)}.`,
  from: (encoder, points) => `По четырём фотографиям (${encoder})` + (points ? ` и ${points} ${plural(points, results)}.` : ' без пробных обучений.'),
  fromPrior: (points) => 'По прошлым кривым' + (points ? ` и ${points} ${plural(points, results)}, без фотографий.` : ', без фотографий и пробных обучений.'),
  fromPilot: (points) => `По прошлым кривым и ${points} ${plural(points, results)}: рядом с ними фотографии и их разметка ` +
    'не улучшали прогноз и не участвуют.',
  fromLabels: (objects) => `Только по разметке четырёх фотографий (объектов: ${objects}).`,
  fromStudy: 'По четырём фотографиям, как на странице исследования: A и B от InceptionV3, C и D от CLIP.',
  trainer: (name) => `Кривая относится к обучению: ${trainers[name] ?? name}.`,
  little: 'Одни фотографии говорят мало: на незнакомых наборах данных прогноз ошибается примерно на 0,25 mAP. Пробные обучения помогают гораздо больше.',
  littleLabels: 'Разметка четырёх фотографий говорит больше, чем их вид, но мало: на незнакомых наборах данных прогноз ошибается примерно на 0,22 mAP. Пробные обучения помогают гораздо больше.',
  littlePast: 'Прошлые кривые других задач мало говорят о вашей. Пробные обучения помогают гораздо больше.',
  waitingPast: 'Задайте желаемый mAP и нажмите «Предсказать».',
  sameForAll: 'Эта сеть даёт одну кривую для любых фотографий.',
  betweenTargets: 'Интервал взят между двумя вычисленными целями; точный даст кнопка «Предсказать».',

  choose: (n) => `Добавить изображение ${n}`,
  chosen: (n) => n === 4 ? 'Все четыре на месте.' : `Выбрано ${n} из 4, осталось ${4 - n}.`,
  needFour: (n) => `Нужны четыре изображения, выбрано: ${n}.`,
  tooMany: (names) => `Достаточно четырёх изображений. Не взяты: ${names}.`,
  wrongType: (name) => `${name}: это не изображение JPEG, PNG или BMP.`,
  tooLarge: (name, megabytes) => `${name}: больше ${number(megabytes)} МБ.`,
  replace: 'Заменить', remove: 'Убрать',
  replaceName: (name) => `Заменить ${name}`, removeName: (name) => `Убрать ${name}`,

  wrongLabels: (name) => `${name}: это не файл .txt.`,
  labelsChosen: (n) => `Для ${n} из 4 фотографий.`,
  labelsMissing: (names) => `Нет разметки для ${names}: нужен файл .txt с именем каждой фотографии или ни одного.`,
  labelsAmbiguous: (names) => `Одна разметка подходит нескольким фотографиям: ${names}. Нужны фотографии с разными именами.`,
  labelsTwice: (name) => `${name}: нужен один файл с таким именем, а выбрано сразу несколько.`,
  wrongTarget: 'Нужно число между 0 и 1 или проценты.',
  wrongConfidence: 'Нужно число больше 0 и меньше 1.',
  wrongCost: 'Нужно число, 0 или больше.',
  wrongPilotN: (row) => `Строка ${row}: нужно целое число изображений, от 1.`,
  wrongPilotMap: (row) => `Строка ${row}: нужен mAP от 0 до 1 или в процентах.`,
  pilotStudy: 'Режим исследования не использует пробные обучения.',
  rowN: (row) => `Строка ${row}, изображений`, rowMap: (row) => `Строка ${row}, mAP`, rowRemove: (row) => `Убрать строку ${row}`,

  photographs: 'Фотографии', past: 'Прошлые кривые, без фотографий',
  modelStudy: 'обе сети исследования (без интервала)',
  modelPrior: (p) => `${p.name}: кривых ${p.curves}, наборов данных ${p.datasets}`,
  modelNone: 'ни одна сеть не установлена',
  sending: (share) => `Изображения отправляются: ${percent(share)}`,
  encoding: 'Кодировщик работает …',
  busy: (seconds) => `Служба занята; повтор через ${seconds} с.`,
  tooBusy: 'Служба всё ещё занята. Попробуйте позже.',
  offline: 'Служба не отвечает.',
  stopped: 'Отменено.',
  needToken: 'Эта служба требует токен.',
  stale: 'Вопрос с тех пор изменился: новый ответ даст «Предсказать».',
  copied: 'Скопировано.', linkCopied: 'Ссылка скопирована.', notCopied: 'Не скопировано: браузер запрещает.',

  axisN: 'изображений для обучения', forecast: 'прогноз', band: (p) => `полоса ${percent(p)}`, before: 'до пробных обучений',
  pilotPoints: 'пробные обучения', wanted: 'желаемый mAP',
  plotEmpty: 'Здесь будет предсказанная кривая',
  plotTitle: (target, text) => `Кривая mAP от числа изображений для обучения. Желаемый mAP ${digits(target, 4)}: ${text}`,
  read: (n, map, low, high) => `${number(n)} ${plural(n, images)}: mAP ${digits(map, 3)}` +
    (low === undefined ? '' : `, полоса ${digits(low, 3)} … ${digits(high, 3)}`),
  readPilot: (map) => `, измерено ${digits(map, 3)}`,
};

const words = {en, ru};

export function t(key, ...values) {
  const word = words[language][key];
  return typeof word === 'function' ? word(...values) : word;
}

export function currentLanguage() {
  return language;
}

export function firstLanguage() {
  const known = navigator.languages.map((l) => l.slice(0, 2)).find((l) => l in words);
  return known ?? 'en';
}

// English as index.html has it; once, before the first setLanguage.
export function collectWords() {
  for (const e of document.querySelectorAll('[data-t]'))
    en[e.dataset.t] ??= e.textContent;
  for (const e of document.querySelectorAll('[data-t-label]'))
    en[e.dataset.tLabel] ??= e.getAttribute('aria-label');
}

export function setLanguage(wanted) {
  language = wanted in words ? wanted : 'en';
  document.documentElement.lang = language;
  for (const e of document.querySelectorAll('[data-t]'))
    e.textContent = t(e.dataset.t);
  for (const e of document.querySelectorAll('[data-t-label]'))
    e.setAttribute('aria-label', t(e.dataset.tLabel));
  for (const e of document.querySelectorAll('[data-lang]'))
    e.setAttribute('aria-pressed', e.dataset.lang === language);
  document.title = t('title');
}
