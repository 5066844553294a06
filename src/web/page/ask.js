// Requests: progress of the upload, the service's errors, and patience with a full queue.
import {t} from '/words.js';

const TRIES = 6;
let token = '';

export function setToken(given) {
  token = given.trim();
}

export class AskError extends Error {
  constructor(message, status, field) {
    super(message);
    Object.assign(this, {status, field});
  }
}

// fetch would not tell how far an upload is.
function send(method, url, body, signal, onUpload) {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open(method, url);
    if (token)
      x.setRequestHeader('Authorization', `Bearer ${token}`);
    x.upload.onprogress = (e) => onUpload(e.lengthComputable ? e.loaded / e.total : 0);
    x.onload = () => resolve(x);
    x.onerror = () => reject(new AskError(t('offline'), 0));
    x.onabort = () => reject(new AskError(t('stopped'), 0));
    signal?.addEventListener('abort', () => x.abort());
    x.send(body);
  });
}

function wait(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new AskError(t('stopped'), 0));
    });
  });
}

function readReply(x) {
  let reply = null;
  try {
    reply = JSON.parse(x.responseText);
  } catch {
    throw new AskError(t('offline'), x.status);
  }
  if (x.status !== 200)
    throw new AskError(reply.error?.message ?? t('offline'), x.status, reply.error?.field);
  return reply;
}

export async function getModels() {
  return readReply(await send('GET', '/api/v1/models', null, null, () => {}));
}

// note(text, share): share of the upload, or nothing while that is over or has not begun.
export async function predict(form, signal, note) {
  for (let i = 0; i < TRIES; i++) {
    note(t('sending', 0), 0);
    const x = await send('POST', '/api/v1/predict', form, signal,
      (share) => share < 1 ? note(t('sending', share), share) : note(t('encoding')));
    if (x.status !== 503)
      return readReply(x);
    const seconds = Number(x.getResponseHeader('Retry-After')) || 2;
    note(t('busy', seconds));
    await wait(seconds, signal);
  }
  throw new AskError(t('tooBusy'), 503);
}
