#!/usr/bin/env python3
"""The container without a container engine: buildah builds the very Dockerfile (its chroot
isolation needs no daemon), debian:12-slim being a debootstrap root of this machine's own mirrors;
the image is then run as docker-compose.yml would: by its own user, without capabilities, on a
read-only root with the weights mounted read-only, in name spaces of its own. Asked are /healthz, the
image's HEALTHCHECK, a curve, and a prediction from four photographs, which the command line must
answer alike; then SIGHUP and SIGTERM.

As root, with Debian's debootstrap, buildah, git and iproute2; WORK keeps the debootstrap root.
usage: tests/check_container.py [WORK]"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PHOTOS = [f'{ROOT}/tests/data/photos/{i}.jpg' for i in (1, 2, 3, 4)]
BASE = 'docker.io/library/debian:12-slim'
URL = 'http://127.0.0.1:8501/'


def run(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, **more)
    if done.returncode:
        raise SystemExit(f'{" ".join(command)}: exit code {done.returncode}\n{done.stdout}')
    return done.stdout.strip()


def timed(what, begin):
    print(f'{what}: {time.time() - begin:.0f} s', flush=True)


# ---- the images ----

class Buildah:
    """A storage of our own: what the user has is not touched."""

    def __init__(self, work):
        self.storage = f'{work}/storage'
        self.options = ['--root', self.storage, '--runroot', f'{work}/run']

    def __call__(self, *arguments):
        return run('buildah', *self.options, *arguments)

    def mount(self, image):
        container = self('from', '--pull-never', image)
        return self('mount', container)

    def close(self):
        self('umount', '--all')
        shutil.rmtree(self.storage)


def make_base(buildah, work):
    base = f'{work}/bookworm'
    if not os.path.exists(f'{base}/.whole'):
        shutil.rmtree(base, ignore_errors=True)
        run('debootstrap', '--variant=minbase', 'bookworm', base)
        for folder in ('var/cache/apt/archives', 'var/lib/apt/lists'): # as Debian's images have them
            shutil.rmtree(f'{base}/{folder}')
            os.makedirs(f'{base}/{folder}/partial')
        os.remove(f'{base}/etc/apt/sources.list')
        # How this machine reaches its mirrors.
        for folder in ('sources.list.d', 'apt.conf.d'):
            shutil.copytree(f'/etc/apt/{folder}', f'{base}/etc/apt/{folder}', dirs_exist_ok=True)
        open(f'{base}/.whole', 'w', encoding='ascii').close()
    container = buildah('from', 'scratch')
    buildah('add', container, base, '/')
    buildah('commit', '--rm', container, BASE)
    return base


def build(buildah, context, tag, *more):
    begin = time.time()
    buildah('bud', '--isolation', 'chroot', '--format', 'docker', '--layers', '--pull-never',
            '--tag', tag, *more, context)
    timed(f'{tag} built', begin)


def megabytes(folder):
    return int(run('du', '-sxm', '--apparent-size', folder).split()[0])


# ---- inside name spaces of our own ----

class Container:
    """The image's file tree as its root: read-only, no capabilities, the image's user."""

    def __init__(self, tree, config, weights):
        self.tree, self.config = tree, config
        user, group = config['User'].split(':')
        self.prefix = ['chroot', tree, 'setpriv', '--reuid', user, '--regid', group, '--clear-groups',
                       '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all']
        self.environment = dict(line.split('=', 1) for line in config['Env'])
        run('mount', '--bind', tree, tree)
        run('mount', '-t', 'proc', 'proc', f'{tree}/proc')
        run('mount', '--bind', '/dev', f'{tree}/dev')
        os.makedirs(f'{tree}/weights', exist_ok=True)
        run('mount', '--bind', weights, f'{tree}/weights')
        for place in (f'{tree}/weights', tree):
            run('mount', '-o', 'remount,bind,ro', place)
        run('ip', 'link', 'set', 'lo', 'up')

    def start(self, *command, **more):
        return subprocess.Popen(self.prefix + list(command), env=self.environment, text=True, **more)

    def call(self, *command, **more):
        process = self.start(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
        said = process.communicate()[0]
        return process.returncode, said


def expect(condition, what, got):
    if not condition:
        raise SystemExit(f'FAILED: {what}: got {got}')
    print(f'ok: {what}', flush=True)


def ask(path, body=None, kind=''):
    request = urllib.request.Request(URL + path, body, {'Content-Type': kind} if body else {})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def multipart():
    parts = [b'--b\r\nContent-Disposition: form-data; name="target"\r\n\r\n0.3\r\n']
    for path in PHOTOS:
        with open(path, 'rb') as file:
            parts.append(b'--b\r\nContent-Disposition: form-data; name="images"; filename="' +
                         os.path.basename(path).encode() + b'"\r\n\r\n' + file.read() + b'\r\n')
    return b''.join(parts) + b'--b--\r\n'


def composed_command():
    with open(f'{ROOT}/docker-compose.yml', encoding='utf-8') as file:
        return json.loads(re.search(r'^ *command: (\[.*\])$', file.read(), re.M).group(1))


def wait_for(service, text, log):
    for line in service.stderr:
        log.append(line)
        if text in line:
            return
    raise SystemExit(f'the service ended, expected "{text}":\n{"".join(log)}')


def memory(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return int(re.search(r'VmHWM:\s+(\d+)', file.read()).group(1)) // 1024


def prove(tree, config, weights):
    run('mount', '-t', 'proc', 'proc', '/proc') # of our name space of processes
    container = Container(tree, config, weights)
    entry, health = config['Entrypoint'], config['Healthcheck']['Test'][1:]
    code, said = container.call('id')
    expect(code == 0 and f'uid={config["User"].split(":")[0]}' in said, 'runs by the image\'s user', said)
    code, said = container.call('sh', '-c', '! touch /a && ! touch /tmp/a && ! touch /weights/a')
    expect(code == 0, 'nothing can be written', said)
    code, said = container.call(*entry, *config['Cmd'])
    expect(code == 2 and 'expected a token or insecure' in said,
           'the image\'s own command refuses to listen without a token', (code, said))
    code, said = container.call(*health)
    expect(code == 1, 'HEALTHCHECK finds no service', (code, said))
    service, log = container.start(*entry, *composed_command(), stderr=subprocess.PIPE), []
    wait_for(service, 'http://', log)
    code, said = container.call(*health)
    expect(code == 0, 'HEALTHCHECK', (code, said))
    expect(ask('healthz') is not None, '/healthz', '')
    curve = ask('api/v1/curve', b'{"params": "0.02,1.2,180,0.71", "target": 0.5}', 'application/json')
    expect(abs(curve['n'] - 358.474) < 1e-3, 'a curve', curve)
    answer = ask('api/v1/predict', multipart(), 'multipart/form-data; boundary=b')
    with open(f'{weights}/photos.json', 'rb') as file:
        expect(answer == json.load(file), 'four photographs as the command line has them', answer)
    service.send_signal(signal.SIGHUP)
    wait_for(service, 'weights reloaded', log)
    expect(ask('api/v1/predict', multipart(), 'multipart/form-data; boundary=b') == answer,
           'SIGHUP loads the weights anew', '')
    print(f'largest resident memory: {memory(service.pid)} MB')
    service.send_signal(signal.SIGTERM)
    expect(service.wait(60) == 0, 'SIGTERM ends it', service.returncode)


# ---- outside ----

def outside(work):
    os.makedirs(work, exist_ok=True)
    clone, weights = f'{work}/clone', f'{work}/weights'
    for folder in (clone, weights):
        shutil.rmtree(folder, ignore_errors=True)
    run('git', '-c', 'advice.detachedHead=false', 'clone', '-q', ROOT, clone)
    shutil.copytree(f'{clone}/weights', weights)
    buildah = Buildah(work)
    begin = time.time()
    base = make_base(buildah, work)
    timed('debian:12-slim by debootstrap', begin)
    build(buildah, clone, 'pts-weights', '--target', 'weights')
    build(buildah, clone, 'pts')

    def config(image):
        return json.loads(buildah('inspect', '--type', 'image', image))['Docker']['config']

    begin = time.time()
    tree, maker = buildah.mount('pts-weights'), config('pts-weights')
    fetch(tree, maker, weights)
    timed('weights fetched', begin)
    tree = buildah.mount('pts')
    print(f'image {megabytes(tree)} MB, of which debian:12-slim {megabytes(base)} MB')
    command = ['unshare', '--mount', '--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child',
               sys.executable, os.path.abspath(__file__), '--inside', tree, json.dumps(config('pts')), weights]
    code = subprocess.call(command)
    buildah.close()
    raise SystemExit(code)


def fetch(tree, config, weights):
    """As docker compose run --rm weights would; with the certificates of this machine's mirrors. The
    answer of the command line, built with all features, is left beside them."""
    os.makedirs(f'{tree}/weights')
    photos = ' '.join(f'/weights/{os.path.basename(p)}' for p in PHOTOS)
    for path in PHOTOS:
        shutil.copy(path, weights)
    certificates = os.environ.get('NODE_EXTRA_CA_CERTS')
    if certificates:
        shutil.copy(certificates, f'{tree}/etc/ssl/certs/ca-certificates.crt')
    shutil.copy('/etc/resolv.conf', f'{tree}/etc/resolv.conf')
    environment = dict(line.split('=', 1) for line in config['Env'])
    environment.update({k: v for k, v in os.environ.items() if k.lower().endswith('_proxy')})
    environment.update(HOME='/root', NODE_EXTRA_CA_CERTS='/etc/ssl/certs/ca-certificates.crt')
    entry = ' '.join(config['Entrypoint'])
    script = f'''mount -t proc proc '{tree}/proc' && mount --bind /dev '{tree}/dev' &&
        mount --bind '{weights}' '{tree}/weights' && chroot '{tree}' sh -c 'cd {config["WorkingDir"]} &&
        {entry} && {{ PTS_WEIGHTS=/weights build/ptsinfer predict --json --target 0.3 {photos} >/weights/photos.json ||
        [ $? -eq 3 ]; }}' '''
    run('unshare', '--mount', 'sh', '-c', script, env=environment)


if sys.argv[1:2] == ['--inside']:
    prove(sys.argv[2], json.loads(sys.argv[3]), sys.argv[4])
else:
    outside(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else '/var/tmp/pts-container'))
