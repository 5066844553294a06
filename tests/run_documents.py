#!/usr/bin/env python3
"""Holds the documents to what they say.

    run_documents.py check ROOT          links, README's length, the C example's text, the list below
    run_documents.py run ROOT BUILD      every command of the documents and of -h, in a scratch copy

In README.md, README.ru.md, CONTRIBUTING.md and docs/*.md a block marked `console` is run: a line that
begins with "$ " is a command, lines after it are what it prints, numbers within 1 %. The commands of
one document share a folder, each runs in a shell of its own; each example of -h has a fresh folder.
Exit code 77: the default weights are absent.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

README_WORDS = 1100
TIME_LIMIT = 600

# Commands that no test can run, by exact line. One that no document has any more is an error.
BUILD = 'the suite itself runs in the folder that this makes'
SELF = 'runs the tests, and so itself'
NETWORK = 'fetches from the network'
ROOT_ONLY = 'installs as root'
NOT_RUN = {
    'tools/demo': 'builds and installs packages; its command is run as README shows it',
    'tools/test': SELF,
    'meson setup build && ninja -C build': BUILD,
    'meson setup build --buildtype=release && ninja -C build': BUILD,
    'meson test -C build --suite unit': SELF,
    'meson test -C build plot': SELF,
    'tools/fetch-roboflow WORKSPACE/PROJECT/VERSION -o coins': NETWORK + '; test fetch_roboflow',
    'build/ptstrain collect --data coins --store runs.db --sizes geometric:7 --time-limit 7200 '
    '--trainer "python3 tools/trainers/ultralytics_yolo.py --model yolov8m-seg.pt --epochs 50"':
        'hours, and the package ultralytics; test collect runs trainers',
    'build/ptstrain collect --data coins --store runs.db --sizes geometric:7 --resume':
        'minutes of training; the example of ptstrain collect -h is run, with two sizes',
    'build/ptsconvert --dtype f16 -o clip.ptsw ViT-B-32.pt':
        'OpenAI\'s file has 354 MB; test formats converts a small one of its kind',
    'docker compose run --rm weights': NETWORK + '; tests/check_container.py',
    'docker compose up -d': NETWORK + '; tests/check_container.py',
    'tools/install': ROOT_ONLY,
    'tools/fetch-weights --into /usr/local/share/pts': ROOT_ONLY,
    'install -m 644 tools/ptsinfer.service /etc/systemd/system/': ROOT_ONLY,
    'systemctl enable --now ptsinfer': ROOT_ONLY,
}

PROGRAMS = ('ptsinfer', 'ptstrain', 'ptsconvert', 'ptsbench')
DATASETS = ('coins', 'car-damage', 'lane-track')
PORT = 8501  # as the documents have it; a free one takes its place
TRAINING = ('{"data": ["datasets/coins", "datasets/car-damage", "datasets/lane-track"], '
            '"curves": "curves.csv", "cache": "cache", %s}')


def documents(root):
    return [root / 'README.md', root / 'README.ru.md', root / 'CONTRIBUTING.md',
            *sorted((root / 'docs').glob('*.md'))]


class Command:
    def __init__(self, place, line):
        self.place, self.line, self.output = place, line, []


def commands(path):
    """The commands of a document's console blocks, with the output that it shows."""
    found, inside = [], False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith('```'):
            inside = line == '```console'
        elif inside and line.startswith('$ '):
            found.append(Command(f'{path.name}:{number}', line[2:]))
        elif inside and found:
            found[-1].output.append(line)
        elif inside:
            raise SystemExit(f'{path.name}:{number}: output without a command')
    return found


# ---- check ----

def anchor(heading):
    return re.sub(r'[^\w\- ]', '', heading.strip().lower()).replace(' ', '-')


def anchors(path):
    text = re.sub(r'^```.*?^```', '', path.read_text(), flags=re.S | re.M)
    return {anchor(h) for h in re.findall(r'^#+ (.*)$', text, re.M)}


def check_links(root):
    pages = [p for p in root.rglob('*.md') if not p.relative_to(root).parts[0].startswith('build')]
    for page in pages:
        text = re.sub(r'^```.*?^```', '', page.read_text(), flags=re.S | re.M)
        for target in re.findall(r'\]\(([^)\s]+)\)', text):
            if re.match(r'\w+:', target):
                continue
            name, _, place = target.partition('#')
            file = page.parent / name if name else page
            if not file.exists():
                yield f'{page.relative_to(root)}: no file for the link {target}'
            elif place and file.suffix == '.md' and place not in anchors(file):
                yield f'{page.relative_to(root)}: no heading for the link {target}'


def check(root):
    yield from check_links(root)
    words = len((root / 'README.md').read_text().split())
    if words > README_WORDS:
        yield f'README.md: expected at most {README_WORDS} words, got {words}'
    example = (root / 'docs/example.c').read_text()
    if f'```c\n{example}```\n' not in (root / 'docs/c-library.md').read_text():
        yield 'docs/c-library.md: expected docs/example.c as it is, in a block of C'
    lines = [c.line for path in documents(root) for c in commands(path)]
    yield from (f'no document has the line that is not run: {n}' for n in NOT_RUN if n not in lines)
    russian = {c.line for c in commands(root / 'README.ru.md')}
    yield from (f'README.ru.md lacks the command {c.line}'
                for c in commands(root / 'README.md') if c.line not in russian)


# ---- run ----

def make_dataset(small, folder, copies):
    """Copies of a small data set's photographs, with the class One alone, so that little is
    trained: collect wants 60 that show a class, the study 24."""
    shutil.copytree(small, folder)
    for file in [f for f in small.rglob('*.*') if f.suffix in ('.jpg', '.txt')]:
        place = folder / file.relative_to(small)
        if file.suffix == '.txt':
            place.write_text(''.join(x for x in place.open() if x.startswith('1 ')))
        for copy in range(1, copies):
            shutil.copy(place, place.with_name(f'{copy}-{place.name}'))


def make_datasets(root, scratch):
    small = root / 'tests/data/yolo-mini'
    make_dataset(small, scratch / 'coins', 12)
    for name in DATASETS:
        make_dataset(small, scratch / 'datasets' / name, 6)
    rows = [f'{name},One,{n},{0.6 * n / (n + 4 + d):.4f}'
            for d, name in enumerate(DATASETS) for n in (1, 2, 4, 8, 16, 32)]
    (scratch / 'curves.csv').write_text('dataset,class,n,map\n' + '\n'.join(rows) + '\n')
    (scratch / 'train.json').write_text(
        TRAINING % '"head": "study", "epochs": 2, "combinations": 8, "output": "head.ptsw"')
    (scratch / 'eval.json').write_text(TRAINING % '"seed": 43')


def make_scratch(root, build, scratch):
    """The parts of the repository and the files of one's own that the commands name."""
    for name in ('include', 'docs', 'tools'):
        (scratch / name).symlink_to(root / name)
    for name in ('weights', 'build', 'photos'):
        (scratch / name).mkdir()
    for file in (root / 'weights').iterdir():
        (scratch / 'weights' / file.name).symlink_to(file)
    for name in (*PROGRAMS, 'libpts.a'):
        if (build / name).exists():
            (scratch / 'build' / name).symlink_to(build / name)
    data = root / 'tests/data'
    for name in ('photos', 'yolo-mini', 'curves'):
        shutil.copytree(data / name, scratch / 'tests/data' / name)
    for letter, photograph in zip('abcd', sorted((data / 'photos').glob('*.jpg'))):
        shutil.copy(photograph, scratch / f'{letter}.jpg')
        shutil.copy(photograph, scratch / 'photos')
    (scratch / 'photos.txt').write_text(''.join(f'{x}.jpg\n' for x in 'abcd'))
    make_datasets(root, scratch)
    for name in ('instances_val2014_100.json', 'fakesegm100_results.json'):
        shutil.copy(data / 'coco' / name, scratch)
    shutil.copy(data / 'coco/instances_val2014_100.json', scratch / 'gt.json')
    shutil.copy(data / 'coco/fakesegm100_results.json', scratch / 'results.json')
    shutil.copytree(data / 'formats/hf_full', scratch / 'clip-vit-base-patch32')
    shutil.copy(data / 'formats/hf_full/model.safetensors', scratch)
    for folder, _, files in os.walk(scratch):  # where the sources are read-only
        for path in (pathlib.Path(folder) / f for f in files):
            if not path.is_symlink():
                path.chmod(0o644)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def alike(expected, got):
    """The same words, and numbers within 1 %."""
    number = r'\d+(?:\.\d+)?'
    if re.split(number, expected) != re.split(number, got):
        return False
    pairs = zip(re.findall(number, expected), re.findall(number, got))
    return all(abs(float(a) - float(b)) <= 0.01 * abs(float(a)) for a, b in pairs)


class Runner:
    def __init__(self, root, build):
        self.root, self.build, self.count, self.port = root, build, 0, free_port()
        self.servers = []
        audit = subprocess.run([build / 'ptsinfer', '--audit'], stdout=subprocess.PIPE, text=True)
        self.has_mpi = 'mpi' in audit.stdout and bool(shutil.which('mpirun'))

    def scratch(self, pristine):
        folder = pathlib.Path(tempfile.mkdtemp(dir=pristine.parent))
        shutil.copytree(pristine, folder, symlinks=True, dirs_exist_ok=True)
        return folder

    def environment(self, folder):
        return {**os.environ, 'PATH': f'{folder}/build:{os.environ["PATH"]}',
                'PTS_WEIGHTS': f'{folder}/weights', 'OMPI_ALLOW_RUN_AS_ROOT': '1',
                'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM': '1', 'OMPI_MCA_rmaps_base_oversubscribe': '1'}

    def fail(self, command, why):
        self.count += 1
        print(f'{command.place}: {command.line}\n    {why}', flush=True)

    def serve(self, command, line, folder):
        if str(self.port) not in line:
            line += f' --port {self.port}'
        server = subprocess.Popen(['bash', '-c', 'exec ' + line], cwd=folder, text=True,
                                  env=self.environment(folder), stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        self.servers.append((command, server))
        for _ in range(300):
            try:
                return socket.create_connection(('127.0.0.1', self.port), 1).close()
            except OSError:
                time.sleep(0.1)
        self.fail(command, 'it does not listen')

    def stop_servers(self):
        while self.servers:
            command, server = self.servers.pop()
            server.send_signal(signal.SIGTERM)
            output, _ = server.communicate(timeout=60)
            self.judge(command, server.returncode, output, '')
            self.port = free_port()

    def judge(self, command, code, output, errors):
        shown = '\n'.join(command.output)
        if code != 0 and not (code == 3 and 'out of reach' in shown):
            return self.fail(command, f'exit code {code}: {(output + errors)[-600:]}')
        got = output.rstrip('\n').split('\n')
        if command.output and '8501' in shown:  # the server's: what follows is its log
            got = [got[0].replace(str(self.port), str(PORT))]
        if command.output and (len(got) != len(command.output) or
                               not all(map(alike, command.output, got))):
            self.fail(command, 'it prints\n' + '\n'.join(got))

    def run(self, command, folder):
        if command.line in NOT_RUN or ('mpirun' in command.line and not self.has_mpi):
            print(f'not run: {command.line} ({NOT_RUN.get(command.line, "built without mpi")})')
            return
        start = time.time()
        line = command.line.replace(str(PORT), str(self.port))
        if 'ptsinfer serve' in line:
            return self.serve(command, line, folder)
        try:
            ran = subprocess.run(['bash', '-c', line], cwd=folder, env=self.environment(folder),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            return self.fail(command, f'not done after {TIME_LIMIT} s')
        self.judge(command, ran.returncode, ran.stdout, ran.stderr)
        print(f'{time.time() - start:6.1f} s  {command.line[:90]}', flush=True)

    def run_all(self, list_of_commands, folder):
        try:
            for command in list_of_commands:
                self.run(command, folder)
        finally:
            self.stop_servers()
            shutil.rmtree(folder)

    def help_of(self, *words):
        ran = subprocess.run([self.build / words[0], *words[1:], '-h'], stdout=subprocess.PIPE,
                             text=True)
        return ran.stdout

    def examples(self):
        for program in PROGRAMS:
            if not (self.build / program).exists():
                continue
            page = self.help_of(program)
            listed = re.findall(r'^  ([a-z]+) {2,}', page, re.M) if ' COMMAND ' in page else []
            for words in [(program, name) for name in listed] or [(program,)]:
                text = self.help_of(*words)
                example = re.search(r'^example:\n((?:  .*\n)+)', text, re.M)
                place = Command(' '.join(words) + ' -h', '')
                if not example:
                    self.fail(place, 'no example')
                for line in example.group(1).splitlines() if example else []:
                    yield Command(place.place, line.strip())


def run(root, build):
    runner = Runner(root, build)
    with tempfile.TemporaryDirectory(prefix='pts-documents-') as base:
        pristine = pathlib.Path(base) / 'pristine'
        pristine.mkdir()
        make_scratch(root, build, pristine)
        store = 'ptstrain import --store runs.db --trainer mine curves.csv'
        runner.run(Command('the scratch copy', store), pristine)
        for path in documents(root):
            runner.run_all(commands(path), runner.scratch(pristine))
        for example in runner.examples():
            runner.run_all([example], runner.scratch(pristine))
    return runner.count


def main():
    root = pathlib.Path(sys.argv[2]).resolve()
    wrong = list(check(root))
    for line in wrong:
        print(line)
    if sys.argv[1] == 'check' or wrong:
        sys.exit(bool(wrong))
    if not (root / 'weights/inception_v3.ptsw').exists():
        sys.exit(77)
    sys.exit(run(root, pathlib.Path(sys.argv[3]).resolve()) > 0)


main()
