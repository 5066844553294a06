// The page in a real browser. usage: node page.mjs PTSINFER WEIGHTS PHOTOS OUT CHROMIUM STUDY-FILES, in the
// folder where npm has installed package.json.
import {execFileSync} from 'node:child_process';
import {copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {axeSource, check, close, equal, leave, paths, runAll, serve, serveFiles, shot, test, visit} from './harness.mjs';

const server = await serve();

// ---- helpers ----

async function choose(page, files = paths.photos) {
  await page.setInputFiles('#images', files);
  await page.waitForFunction((n) => document.querySelectorAll('#grid li.full').length >= n, Math.min(files.length, 4));
}

// Counted in the page: the driver's own event of the response was once lost on a loaded machine.
async function ask(page) {
  const answered = () => performance.getEntriesByType('resource').filter((r) => r.name.endsWith('/api/v1/predict')).length;
  const before = await page.evaluate(answered);
  await page.click('#ask');
  await page.waitForFunction((n) => performance.getEntriesByType('resource').filter((r) => r.name.endsWith('/api/v1/predict')).length > n &&
    document.querySelector('#cancel').hidden, before);
}

async function download(page, kind) {
  const [given] = await Promise.all([page.waitForEvent('download'), page.click(`[data-save=${kind}]`)]);
  return {name: given.suggestedFilename(), data: readFileSync(await given.path())};
}

const saved = async (page) => JSON.parse((await download(page, 'json')).data);

// Exit code 3: the target is out of reach, which is an answer too.
function commandLine(args, folder) {
  try {
    return JSON.parse(execFileSync(paths.program, ['predict', '--json', ...args], {cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
      env: {...process.env, PTS_WEIGHTS: paths.weights}}));
  } catch (e) {
    if (e.status !== 3)
      throw e;
    return JSON.parse(e.stdout);
  }
}

const weightArgs = ['--weights', `${paths.weights}/inception_v3.ptsw`, '--head', `${paths.weights}/head-builtin.ptsw`];

async function api(fields, files = paths.photos) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields))
    form.append(name, value);
  for (const file of files)
    form.append('images', new Blob([readFileSync(file)], {type: 'image/jpeg'}), file);
  return (await fetch(`${server.url}/api/v1/predict`, {method: 'POST', body: form})).json();
}

function sameFigures(got, expected, relative, what) {
  for (const name of ['A', 'B', 'C', 'D', 'n', 'n_low', 'n_high', 'probability_reachable', 'target', 'confidence', 'cost'])
    close(got[name], expected[name], relative, `${what}: ${name}`);
  equal(got.status, expected.status, `${what}: status`);
}

const digitsOf = (text) => text.replace(/\D/g, '');
const whole = (n) => String(Math.ceil(Math.max(n, 1)));

async function axe(page, what) {
  await page.evaluate(axeSource);
  const {violations} = await page.evaluate(() => globalThis.axe.run(document));
  const lines = violations.map((v) => `${what}: ${v.impact}: ${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`);
  lines.forEach((line) => console.log(`axe ${line}`));
  equal(violations.filter((v) => ['serious', 'critical'].includes(v.impact)).length, 0, `axe ${lines.join('; ')}`);
}

async function noSidewaysScroll(page) {
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page scrolls sideways');
}

const pilotCells = 'Images\tmAP\r\n10\t0,12\r\n20\t0,2\r\n50\t0,31\r\n';

async function pastePilot(page, text) {
  await page.focus('#pilot-table input');
  await page.evaluate((t) => {
    const data = new DataTransfer();
    data.setData('text', t);
    document.activeElement.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
  }, text);
}

// ---- cases ----

test('first view: small, quick, still, quiet', async () => {
  const page = await visit(server);
  const entries = (p) => p.evaluate(() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    .filter((r) => !r.name.includes('/api/')).map((r) => ({raw: r.decodedBodySize, sent: r.encodedBodySize})));
  const times = [];
  for (let i = 0; i < 5; i++) {
    await page.reload();
    times.push(await page.evaluate(() => performance.getEntriesByName('interactive')[0].startTime - performance.getEntriesByType('navigation')[0].responseStart));
  }
  const fresh = await visit(server);
  await fresh.waitForFunction(() => document.querySelector('#model option[value^=pts]'));
  const size = (await entries(fresh)).reduce((sum, r) => ({raw: sum.raw + r.raw, sent: sum.sent + r.sent}));
  console.log(`page: ${size.raw} bytes, ${size.sent} gzip'd; first byte to interactive, ms: ${times.map((t) => t.toFixed(0)).join(' ')}`);
  check(size.raw < 100000, `the page has ${size.raw} bytes`);
  const shift = await fresh.evaluate(() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((e) => { sum += e.value; })).observe({type: 'layout-shift', buffered: true});
    setTimeout(() => resolve(sum), 300);
  }));
  close(shift, 0, 0, 'layout shift');
  equal(await fresh.evaluate(() => document.cookie + localStorage.length + sessionStorage.length), '00', 'stored');
  await shot(fresh, 'first');
  await axe(fresh, 'first');
  await leave(fresh);
  await leave(page);
});

test('four photographs: page, API and command line agree', async () => {
  const page = await visit(server);
  await choose(page);
  equal(await page.textContent('#images-status'), 'All four are there.', 'status');
  await page.fill('#target', '0,4');
  await page.fill('#cost', '2.5');
  await ask(page);
  const got = await saved(page), fields = {target: '0.4', cost_per_image: '2.5'};
  sameFigures(got, await api(fields), 0, 'API');
  sameFigures(got, commandLine(['--target', '0.4', '--cost-per-image', '2.5', ...weightArgs, ...paths.photos]), 0, 'command line');
  equal(digitsOf(await page.textContent('#size')), whole(got.n), 'size on the page');
  check((await page.textContent('#interval')).includes(whole(got.n_low)), 'interval on the page');
  close(Number(await page.textContent('#A')), got.A, 1e-3, 'A on the page');
  equal(await page.textContent('#command'), 'ptsinfer predict --target 0.4 --cost-per-image 2.5 1.jpg 2.jpg 3.jpg 4.jpg', 'command');
  await shot(page, 'answer');
  await axe(page, 'answer');
  await leave(page);
});

test('downloads: PNG, SVG, CSV', async () => {
  const page = await visit(server);
  await choose(page);
  await ask(page);
  const png = (await download(page, 'png')).data, svg = await download(page, 'svg'), csv = (await download(page, 'csv')).data.toString();
  equal(png.subarray(1, 4).toString(), 'PNG', 'PNG');
  equal(png.readUInt32BE(16), 1920, 'PNG width');
  writeFileSync(join(paths.out, 'saved.png'), png);
  check(svg.data.toString().startsWith('<svg xmlns="http://www.w3.org/2000/svg"'), 'SVG');
  equal(svg.name, 'pts-curve.svg', 'name');
  const lines = csv.trim().split('\n'), reply = await saved(page);
  equal(lines[0], 'n,map,low,high', 'CSV header');
  equal(lines.length, 201, 'CSV lines');
  equal(Number(lines[200].split(',')[1]), reply.detail.curve[199], 'CSV value');
  await leave(page);
});

test('slider: the answer follows without a request', async () => {
  const page = await visit(server);
  await choose(page);
  await ask(page);
  let requests = 0;
  page.on('request', (r) => { requests += r.url().includes('/api/'); });
  for (const target of ['0.3', '0.25', '0.99']) {
    await page.fill('#slider', target);
    equal(await page.inputValue('#target'), target, 'number beside the slider');
    sameFigures(await saved(page), commandLine(['--target', target, ...weightArgs, ...paths.photos]), 1e-12, `target ${target}`);
  }
  equal(await page.textContent('#size'), 'Out of reach', 'size');
  await page.fill('#target', '33.5');
  equal((await saved(page)).target, 0.335, 'percent');
  check((await page.textContent('#caveats')).includes('between two computed targets'), 'no word on the interval');
  const n = commandLine(['--target', '0.335', ...weightArgs, ...paths.photos]).n;
  close((await saved(page)).n, n, 1e-12, 'closed form');
  equal(requests, 0, 'requests');
  await page.waitForFunction(() => location.hash.includes('target=33.5'));
  await leave(page);
});

test('pilot table: pasted from a spreadsheet', async () => {
  const page = await visit(server), folder = mkdtempSync(join(tmpdir(), 'pts-'));
  await choose(page);
  await pastePilot(page, pilotCells);
  equal(await page.inputValue('#pilot-table tbody tr:nth-child(3) input'), '50', 'third row');
  await page.fill('#target', '0.4');
  await ask(page);
  const got = await saved(page);
  equal(got.pilot_points, 3, 'points');
  check((await page.textContent('#facts')).includes('From past curves and 3 pilot results: beside them photographs'), 'the origin is not said');
  const command = await page.textContent('#command');
  execFileSync('sh', ['-c', command.split('\n')[0]], {cwd: folder});
  sameFigures(got, commandLine(['--target', '0.4', '--pilot', 'pilot.csv', ...weightArgs, ...paths.photos], folder), 0, 'command line');
  rmSync(folder, {recursive: true});
  await shot(page, 'pilot');
  await page.fill('#pilot-table tbody tr:nth-child(2) input', '2.5');
  check((await page.textContent('#stale')).includes('has changed'), 'stale answer not marked');
  await page.click('#ask');
  equal(await page.textContent('#pilot-error'), 'Row 2: expected a whole number of images, 1 or more.', 'mistake');
  equal(await page.getAttribute('#pilot-table tbody tr:nth-child(2) input', 'aria-invalid'), 'true', 'marked');
  await leave(page);
});

test('labels of the photographs: chosen, dropped, missing, wrong', async () => {
  const page = await visit(server, {refusals: true}), folder = mkdtempSync(join(tmpdir(), 'pts-'));
  const box = '0.1 0.1 0.6 0.1 0.6 0.6 0.1 0.6', texts = [`0 ${box}\n1 ${box}\n`, `1 ${box}\n`, '', `1 ${box}\n`];
  texts.forEach((text, i) => writeFileSync(join(folder, `${i + 1}.txt`), text));
  const files = texts.map((_, i) => join(folder, `${i + 1}.txt`)), status = () => page.textContent('#labels-status');
  await page.click('#labels-box summary');
  await page.setInputFiles('#labels', files.slice(0, 3).reverse());
  await choose(page);
  equal(await status(), 'For 3 of 4 photographs.', 'status');
  await page.click('#ask');
  equal(await page.textContent('#labels-error'), 'No labels of 4.jpg: expected a .txt file of each photograph’s name, or none at all.', 'missing');
  equal(await page.evaluate(() => document.activeElement.id), 'labels-choose', 'focus');
  await page.evaluate((text) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], '4.txt'));
    document.querySelector('#grid').dispatchEvent(new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true}));
  }, texts[3]);
  equal(await status(), 'For 4 of 4 photographs.', 'status');
  equal(await page.isVisible('#labels-error'), false, 'mended');
  await ask(page);
  check((await page.textContent('#labels-error')).includes('expected a class to be named'), 'the service’s word');
  await page.fill('#class', '1');
  await page.fill('#target', '0.4');
  await ask(page);
  const args = ['--target', '0.4', '--labels', folder, '--class', '1', ...paths.photos], got = await saved(page);
  sameFigures(got, commandLine(args), 0, 'command line');
  equal(got.labels.objects, 3, 'objects');
  check((await page.textContent('#facts')).includes('From the labels of four photographs (3 objects) alone.'), 'the origin is not said');
  equal(await page.textContent('#command'), 'ptsinfer predict --target 0.4 --labels 1.txt --labels 2.txt --labels 3.txt --labels 4.txt --class 1 ' +
    '1.jpg 2.jpg 3.jpg 4.jpg', 'command');
  await shot(page, 'labels');
  await axe(page, 'labels');
  await page.click('#labels-remove');
  check((await page.textContent('#stale')).includes('has changed'), 'stale answer not marked');
  await ask(page);
  equal((await saved(page)).prior, 'photographs', 'without them');
  await page.setInputFiles('#labels', paths.photos[0]);
  equal(await page.textContent('#labels-error'), '1.jpg: not a .txt file.', 'no text');
  rmSync(folder, {recursive: true});
  await leave(page);
});

// A browser tells no folders: a/1.jpg and c/1.jpg are both 1.jpg.
test('labels of two photographs of one name: refused', async () => {
  const page = await visit(server), folder = mkdtempSync(join(tmpdir(), 'pts-'));
  const box = '0.1 0.1 0.6 0.1 0.6 0.6 0.1 0.6', named = (name) => join(folder, name);
  for (const name of ['a', 'c'])
    mkdirSync(named(name));
  paths.photos.forEach((path, i) => copyFileSync(path, named(['a/1.jpg', 'c/1.jpg', '3.jpg', '4.jpg'][i])));
  for (const name of ['a/1', 'c/1', '2', '3', '4'])
    writeFileSync(named(`${name}.txt`), `0 ${box}\n`);
  await page.click('#labels-box summary');
  await choose(page, ['a/1.jpg', 'c/1.jpg', '3.jpg', '4.jpg'].map(named));
  await page.setInputFiles('#labels', ['a/1.txt', 'c/1.txt', '3.txt', '4.txt'].map(named));
  const twice = '1.txt: expected one file of the name, got several at once.';
  equal(await page.textContent('#labels-error'), `${twice} ${twice}`, 'two at once');
  equal(await page.textContent('#labels-status'), 'For 2 of 4 photographs.', 'the others are taken');
  await page.setInputFiles('#labels', named('a/1.txt'));
  equal(await page.textContent('#labels-status'), 'For 2 of 4 photographs.', 'nobody’s');
  await page.click('#ask');
  equal(await page.textContent('#labels-error'),
    'Labels of one name for several photographs: 1.jpg, 1.jpg. Expected photographs of different names.', 'ambiguous');
  equal(await page.evaluate(() => document.activeElement.id), 'labels-choose', 'focus');
  rmSync(folder, {recursive: true});
  await leave(page);
});

test('unreachable target, and one that is met at once', async () => {
  const page = await visit(server);
  await choose(page);
  await page.fill('#target', '0.95');
  await ask(page);
  equal(await page.textContent('#size'), 'Out of reach', 'size');
  check(/does not reach mAP 0\.95: it levels off at 0\.\d+ ± 0\.\d+/.test(await page.textContent('#interval')), 'no reason');
  sameFigures(await saved(page), commandLine(['--target', '0.95', ...weightArgs, ...paths.photos]), 0, 'command line');
  await shot(page, 'unreachable');
  await page.fill('#slider', '0.01');
  equal(await page.textContent('#size'), 'Met by the first labelled image', 'size');
  await leave(page);
});

test('wrong files: said beside the images', async () => {
  const page = await visit(server, {refusals: true}), text = {name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('four words of text')};
  await page.setInputFiles('#images', text);
  const error = page.locator('#images-error');
  await error.waitFor();
  equal(await error.textContent(), 'notes.txt: not a JPEG, PNG or BMP image.', 'message');
  await choose(page, paths.photos.slice(0, 3));
  await page.click('#ask');
  equal(await error.textContent(), 'Four images are needed, there are 3.', 'message');
  equal(await page.evaluate(() => document.activeElement.textContent), 'Add image 4', 'focus');
  await choose(page, paths.photos.slice(2));
  await page.waitForFunction(() => document.querySelector('#images-error').textContent.startsWith('Four images are enough'));
  equal(await error.textContent(), 'Four images are enough. Left out: 4.jpg.', 'message');
  await axe(page, 'errors');
  const torn = {name: 'torn.jpg', mimeType: 'image/jpeg', buffer: readFileSync(paths.photos[0]).subarray(0, 300)};
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.click('[aria-label="Replace 1.jpg"]')]);
  await chooser.setFiles(torn);
  await page.waitForSelector('[aria-label="Replace torn.jpg"]');
  await ask(page);
  check((await error.textContent()).includes('torn.jpg'), 'the service names the file');
  await shot(page, 'wrong');
  await page.click('[aria-label="Remove torn.jpg"]');
  equal(await page.textContent('#images-status'), '3 of 4 chosen, 1 to go.', 'status');
  await leave(page);
});

test('wrong numbers: said beside the fields', async () => {
  const page = await visit(server);
  await choose(page);
  for (const [id, value, text] of [['target', 'much', 'Expected a number between 0 and 1, or a percentage.'],
    ['confidence', '1', 'Expected a number above 0 and below 1.'], ['cost', '-1', 'Expected a number, 0 or more.']]) {
    const before = await page.inputValue(`#${id}`);
    await page.fill(`#${id}`, value);
    await page.click('#ask');
    equal(await page.textContent(`#${id}-error`), text, id);
    equal(await page.evaluate(() => document.activeElement.id), id, 'focus');
    await page.fill(`#${id}`, before);
    equal(await page.isVisible(`#${id}-error`), false, 'mended');
  }
  await leave(page);
});

test('dropped and pasted images', async () => {
  const page = await visit(server), bytes = [...readFileSync(paths.photos[0])];
  const put = (kind) => page.evaluate(([type, data]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(data)], `${type}.jpg`, {type: 'image/jpeg'}));
    const more = {bubbles: true, cancelable: true};
    document.querySelector('#grid').dispatchEvent(type === 'drop' ? new DragEvent('drop', {dataTransfer: transfer, ...more})
      : new ClipboardEvent('paste', {clipboardData: transfer, ...more}));
  }, [kind, bytes]);
  await put('drop');
  await page.waitForSelector('[aria-label="Remove drop.jpg"]');
  await put('paste');
  await page.waitForSelector('[aria-label="Remove paste.jpg"]');
  equal(await page.textContent('#images-status'), '2 of 4 chosen, 2 to go.', 'status');
  await leave(page);
});

test('Russian, by the browser and by the switch', async () => {
  const page = await visit(server, {locale: 'ru-RU'});
  equal(await page.textContent('legend'), 'Выберите 4 изображения', 'legend');
  equal(await page.getAttribute('html', 'lang'), 'ru', 'lang');
  await choose(page);
  await pastePilot(page, pilotCells);
  await page.fill('#target', '0,3');
  await ask(page);
  const got = await saved(page);
  equal(digitsOf(await page.textContent('#size')), whole(got.n), 'size');
  check(/размеченн\S+ изображени/.test(await page.textContent('#size')), 'size in Russian');
  await shot(page, 'russian');
  await axe(page, 'russian');
  await page.click('[data-lang=en]');
  equal(await page.textContent('legend'), 'Choose 4 images', 'switched');
  check((await page.textContent('#size')).includes('labelled image'), 'the answer is not switched');
  await page.waitForFunction(() => location.hash.includes('lang=en'));
  await page.reload();
  equal(await page.textContent('h1'), 'How many labelled images?', 'remembered in the link');
  await leave(page);
});

test('a link restores all but the images', async () => {
  const page = await visit(server, {hash: '#target=0.45&confidence=0.9&cost=3&model=prior:builtin&pilot=10:0.12,20:0.2&lang=ru'});
  await page.waitForFunction(() => document.querySelector('#model').value === 'prior:builtin');
  equal(await page.inputValue('#target'), '0.45', 'target');
  equal(await page.inputValue('#slider'), '0.45', 'slider');
  equal(await page.inputValue('#pilot-table tbody tr:nth-child(2) input'), '20', 'pilot');
  equal(await page.isVisible('#grid'), false, 'no images with past curves');
  await ask(page);
  const pilot = join(paths.out, 'pilot.csv');
  writeFileSync(pilot, 'n,map\n10,0.12\n20,0.2\n');
  sameFigures(await saved(page), commandLine(['--target', '0.45', '--confidence', '0.9', '--cost-per-image', '3', '--pilot', pilot,
    '--prior', `${paths.weights}/prior-builtin.txt`]), 0, 'command line');
  await page.waitForFunction(() => location.hash === '' || location.hash.includes('model=prior'));
  await leave(page);
});

test('keyboard only', async () => {
  const page = await visit(server), focused = () => page.evaluate(() => {
    const e = document.activeElement, style = getComputedStyle(e);
    return {id: e.id || e.className || e.dataset.lang || '', text: e.textContent.trim().slice(0, 30), outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2};
  });
  const order = [];
  const tab = async (until) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      const f = await focused();
      check(f.outline, `no visible focus on ${JSON.stringify(f)}`);
      order.push(f.id);
      if (f.id === until || f.text === until)
        return;
    }
    throw new Error(`${until} is not reached: ${order.join(' ')}`);
  };
  await tab('Add image 1');
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Enter')]);
  await chooser.setFiles(paths.photos);
  await page.waitForFunction(() => document.querySelectorAll('#grid li.full').length === 4);
  await tab('target');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('0.4');
  await tab('slider');
  await page.keyboard.press('ArrowLeft');
  equal(await page.inputValue('#target'), '0.39', 'slider by keys');
  await tab('ask');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#details:not([hidden])');
  equal((await focused()).id, 'answer-title', 'focus goes to the answer');
  await tab('reader');
  await page.keyboard.press('Home');
  check((await page.textContent('#readout')).startsWith('1 image: mAP'), 'read by keys');
  await page.keyboard.press('PageUp');
  await page.keyboard.press('ArrowRight');
  check((await page.getAttribute('#reader', 'aria-valuetext')).startsWith('11 images: mAP 0.'), 'read out');
  await shot(page, 'keyboard');
  await tab('copy');
  check(order.indexOf('target') < order.indexOf('ask') && order.indexOf('ask') < order.indexOf('reader'), `focus order ${order.join(' ')}`);
  await leave(page);
});

test('pointing at the curve reads it', async () => {
  const page = await visit(server, {hash: '#model=prior:builtin&pilot=10:0.12,100:0.3'});
  await page.waitForFunction(() => document.querySelector('#model').value === 'prior:builtin');
  await ask(page);
  const box = await page.locator('#reader').boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  check(/^\d+ images: mAP 0\.\d+, band 0(\.\d+)? … [01](\.\d+)?/.test(await page.textContent('#readout')), await page.textContent('#readout'));
  await page.mouse.move(box.x + 42 + (box.width - 56) / 2, box.y + box.height / 2);
  check((await page.textContent('#readout')).includes('measured 0.3'), 'the pilot result is not read');
  await leave(page);
});

test('a phone of 360 pixels, dark', async () => {
  const page = await visit(server, {viewport: {width: 360, height: 740}, colorScheme: 'dark', locale: 'ru-RU', hasTouch: true});
  await noSidewaysScroll(page);
  await choose(page);
  await pastePilot(page, pilotCells);
  await ask(page);
  await noSidewaysScroll(page);
  await page.fill('#slider-near', '0.35');
  equal(await page.inputValue('#target'), '0.35', 'the slider near the figure');
  await shot(page, 'phone');
  await axe(page, 'phone');
  await leave(page);
});

test('wide and dark', async () => {
  const page = await visit(server, {viewport: {width: 1920, height: 1080}, colorScheme: 'dark', hash: '#model=prior:builtin'});
  await page.waitForFunction(() => document.querySelector('#model').value === 'prior:builtin');
  await ask(page);
  await noSidewaysScroll(page);
  await shot(page, 'wide-dark');
  await axe(page, 'dark');
  await leave(page);
});

test('a full queue is tried again, an absent service is said', async () => {
  const page = await visit(server, {refusals: true, hash: '#model=prior:builtin'});
  await page.waitForFunction(() => document.querySelector('#model').value === 'prior:builtin');
  let tries = 0;
  await page.route('**/api/v1/predict', (route) => tries++ ? route.continue()
    : route.fulfill({status: 503, headers: {'Retry-After': '1'}, contentType: 'application/json', body: '{"error": {"message": "full"}}'}));
  await page.click('#ask');
  await page.waitForFunction(() => document.querySelector('#note').textContent === 'The service is busy; trying again in 1 s.');
  await shot(page, 'busy');
  await page.waitForSelector('#details:not([hidden])');
  equal(tries, 2, 'tries');
  await page.unroute('**/api/v1/predict');
  await page.route('**/api/v1/predict', (route) => route.abort());
  await page.click('#ask');
  await page.waitForSelector('#form-error:not([hidden])');
  equal(await page.textContent('#form-error'), 'The service does not answer.', 'message');
  await leave(page);
});

// The study's own heads are not public: these are drawn, of its size, and their curve may be any.
test('the study’s mode', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pts-')), [clip, ...heads] = ['clip', 'clip-head', 'inception-head'].map((n) => join(folder, `${n}.ptsw`));
  execFileSync(paths.studyFiles, [clip, ...heads]);
  const encoders = [`${paths.weights}/inception_v3.ptsw`, clip], study = await serveFiles(encoders, heads), page = await visit(study);
  await choose(page);
  await page.selectOption('#model', 'ptssp');
  await page.fill('#target', '0.5');
  await ask(page);
  const got = await saved(page), args = ['--mode', 'ptssp', ...encoders.flatMap((e) => ['-w', e]), ...heads.flatMap((h) => ['--head', h])];
  sameFigures(got, commandLine(['--target', '0.5', ...args, ...paths.photos]), 0, 'command line');
  close(Number((await page.textContent('#D')).replace('−', '-')), got.D, 1e-3, 'D on the page');
  await shot(page, 'study');
  await axe(page, 'study');
  await leave(page);
  equal(await study.stop(), 0, 'exit code');
  rmSync(folder, {recursive: true});
});

test('the study’s mode: the answer follows the slider', async () => {
  const page = await visit(server);
  const models = await (await fetch(`${server.url}/api/v1/models`)).json();
  await page.route('**/api/v1/models', (route) => route.fulfill({json: {...models, modes: ['pts', 'ptssp']}}));
  await page.route('**/api/v1/predict', (route) => route.fulfill({json: {mode: 'ptssp', A: 0.05, B: 1.2, C: 40, D: 0.7, target: 0.5, n: 78.6, status: 'ok'}}));
  await page.reload();
  await choose(page);
  await page.waitForFunction(() => document.querySelector('#model option[value=ptssp]'));
  await page.selectOption('#model', 'ptssp');
  await ask(page);
  await page.fill('#slider', '0.3');
  close(Number(digitsOf(await page.textContent('#size'))), Math.ceil(40 * (0.25 / 0.4) ** (1 / 1.2)), 0, 'size by the closed form');
  await page.fill('#slider', '0.7');
  equal(await page.textContent('#size'), 'Out of reach', 'size');
  await page.fill('#slider', '0.5');
  check((await page.textContent('#interval')).includes('no interval'), 'interval');
  equal(await page.isVisible('#caveats'), false, 'nothing is said of pilot results, which it cannot use');
  await shot(page, 'study-curve');
  await leave(page);
});

test('a token is asked for where it is needed', async () => {
  const file = join(paths.out, 'token'), secret = 'sixteen-characters-and-more';
  writeFileSync(file, `${secret}\n`);
  const guarded = await serve('--token-file', file), page = await visit(guarded, {refusals: true});
  await page.waitForSelector('#token', {state: 'visible'});
  equal(await page.textContent('#token-error'), 'This service asks for a token.', 'message');
  await page.fill('#token', secret);
  await page.press('#token', 'Tab');
  await page.waitForFunction(() => document.querySelector('#model option[value^=prior]'));
  await page.selectOption('#model', 'prior:builtin');
  await ask(page);
  check(await page.isVisible('#details'), 'no answer');
  check(!page.url().includes(secret), 'the token is in the link');
  await leave(page);
  equal(await guarded.stop(), 0, 'exit code');
});

test('without JavaScript: a plain form', async () => {
  const page = await visit(server, {javaScriptEnabled: false});
  equal(await page.isVisible('#grid'), false, 'no empty grid');
  await page.setInputFiles('#images', paths.photos);
  await page.fill('#target', '0.2');
  await page.fill('#pilot', '10, 0.12\n20, 0.2');
  await page.selectOption('#lang', 'ru');
  await shot(page, 'plain');
  await page.click('#ask');
  await page.waitForSelector('.size');
  check(/\d+ размеченных изображений/.test(await page.textContent('.size')), 'no answer');
  check((await page.textContent('main')).includes('По прошлым кривым и пробным обучениям (2), рядом с которыми фотографии не участвуют.'), 'the origin is not said');
  await shot(page, 'plain-answer');
  await leave(page);
});

test('without JavaScript, where a token is needed', async () => {
  const file = join(paths.out, 'token'), secret = 'sixteen-characters-and-more';
  writeFileSync(file, `${secret}\n`);
  const guarded = await serve('--token-file', file), page = await visit(guarded, {javaScriptEnabled: false, refusals: true});
  await page.setInputFiles('#images', paths.photos);
  await page.click('#ask');
  equal(await page.textContent('.error'), "token: expected the service's token", 'refused');
  await page.goBack();
  await page.setInputFiles('#images', paths.photos);
  await page.click('#token-box summary');
  await page.fill('#token', secret);
  await shot(page, 'plain-token');
  await page.click('#ask');
  await page.waitForSelector('.size');
  check(!page.url().includes(secret) && !guarded.log().includes(secret), 'the token is in the link or the log');
  await leave(page);
  equal(await guarded.stop(), 0, 'exit code');
});

test('the service stops when told', async () => {
  equal(await server.stop(), 0, 'exit code');
});

await runAll();
