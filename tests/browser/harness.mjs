// A server of our own, a real Chromium, and cases that run one after another.
import {spawn} from 'node:child_process';
import {createRequire} from 'node:module';

// The packages are where npm put them, beside the build.
const require = createRequire(`${process.cwd()}/`);
const {chromium} = require('playwright-core');
export const axeSource = require('axe-core').source;

const [program, weights, photos, out, chromiumPath, studyFiles] = process.argv.slice(2);
export const paths = {program, weights, out, studyFiles, photos: [1, 2, 3, 4].map((i) => `${photos}/${i}.jpg`)};

const CASE_SECONDS = 240;
const cases = [], children = [];

export function test(name, run) {
  cases.push({name, run});
}

// ptsinfer serve on a free port: {url, stop}.
export function serve(...more) {
  return serveFiles([`${weights}/inception_v3.ptsw`], [`${weights}/head-builtin.ptsw`], more);
}

export function serveFiles(encoders, heads, more = []) {
  const files = [...encoders.flatMap((e) => ['--weights', e]), ...heads.flatMap((h) => ['--head', h])];
  const child = spawn(program, ['serve', '--port', '0', ...files, ...more], {stdio: ['ignore', 'ignore', 'pipe'], env: {...process.env, PTS_WEIGHTS: weights}});
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  children.push(child);
  let log = '';
  return new Promise((resolve, reject) => {
    child.stderr.on('data', (data) => {
      log += data;
      const url = log.match(/http:\/\/\S+?(?=\/\n)/);
      if (url)
        resolve({url: url[0], stop: () => (child.kill('SIGTERM'), ended), log: () => log});
    });
    ended.then((code) => reject(new Error(`ptsinfer serve ended with ${code}: ${log}`)));
  });
}

export function equal(got, expected, what) {
  if (!Object.is(got, expected))
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`);
}

export function check(condition, what) {
  if (!condition)
    throw new Error(what);
}

export function close(got, expected, relative, what) {
  check(got === expected || Math.abs(got - expected) <= relative * Math.abs(expected), `${what}: expected ${expected}, got ${got}`);
}

const browser = await chromium.launch({executablePath: chromiumPath, timeout: 60000,
  args: ['--disable-gpu', '--disable-dev-shm-usage', ...process.getuid() ? [] : ['--no-sandbox']]});

// A fresh visitor. `complaints` collects what the console says that it should not; a case that
// provokes a refusal sets `refusals`, since Chromium logs each as an error.
export async function visit(server, options = {}) {
  const {refusals, hash = '', ...rest} = options;
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, locale: 'en-GB', acceptDownloads: true, ...rest});
  const page = await context.newPage(), complaints = [], origin = new URL(server.url).origin;
  page.setDefaultTimeout(120000);
  page.on('filechooser', () => {}); // intercepted from the start, or the first would be missed
  page.on('pageerror', (e) => complaints.push(e.stack));
  page.on('console', (m) => {
    if (['error', 'warning'].includes(m.type()) && !(refusals && m.text().startsWith('Failed to load resource')))
      complaints.push(m.text());
  });
  page.on('request', (r) => /^(blob|data):/.test(r.url()) || r.url().startsWith(origin) || complaints.push(`outside: ${r.url()}`));
  await page.goto(`${server.url}/${hash}`);
  return Object.assign(page, {complaints});
}

export async function leave(page) {
  equal(page.complaints.join('\n'), '', 'console');
  await page.context().close();
}

let shots = 0;
export async function shot(page, name) {
  await page.screenshot({path: `${out}/shots/${String(++shots).padStart(2, '0')}-${name.replace(/\W+/g, '-')}.png`, fullPage: true});
}

function limited(promise, seconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${seconds} s`)), 1000 * seconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// In the form of Check's last line, which tools/test counts.
export async function runAll() {
  const wanted = process.env.CASE ? cases.filter(({name}) => name.includes(process.env.CASE)) : cases;
  let failed = 0;
  for (const {name, run} of wanted) {
    const start = Date.now();
    try {
      await limited(run(), CASE_SECONDS);
      console.log(`ok ${name} (${Date.now() - start} ms)`);
    } catch (e) {
      failed++;
      console.log(`FAILED ${name}: ${e.stack}`);
      await Promise.all(browser.contexts().flatMap((c) => c.pages()).map((p) => shot(p, `failed-${name}`).catch(() => {})));
    }
    await Promise.all(browser.contexts().map((c) => c.close()));
  }
  await browser.close();
  for (const child of children.filter((c) => c.exitCode === null))
    child.kill('SIGKILL');
  const share = Math.floor(100 * (wanted.length - failed) / wanted.length);
  console.log(`${share}%: Checks: ${wanted.length}, Failures: ${failed}, Errors: 0`);
  process.exit(failed ? 1 : 0);
}
