"""Runs the peers and pts interleaved, and writes the table, the csv and the plots: see README.md.

    python runner.py --ptsbench build/ptsbench [--model inception_v3|clip] [--rounds N] …"""
import argparse
import csv
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import models
import plot

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PEERS = ["ONNX Runtime", "OpenVINO", "PyTorch", "PyTorch channels_last", "ncnn"]
COLUMNS = ["date", "cpu", "threads", "batch", "model", "contestant", "version", "median_ms", "min_ms", "p90_ms",
           "runs"]
FLOOR = "FMA floor"
TOLERANCE = 1e-3  # of the largest component: beyond it a contestant computes something else


def say(text):
    print(text, file=sys.stderr, flush=True)


def plural(threads):
    return f"{threads} thread{'s' if threads > 1 else ''}"


# ---- the machine ----


def cpu_name():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return os.uname().machine


def file_name(cpu):
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", cpu.lower())).strip("-")


def busy_seconds():
    """CPU time that all processes of the machine have used."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft = map(int, file.readline().split()[1:8])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def process_seconds(pid):
    """CPU time of a process with all its threads, in nanoseconds' resolution."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total * 1e-9


# ---- contestants ----


class Contestant:
    """A child that answers COUNT with seconds, or None and a reason where it cannot."""

    def __init__(self, name, version, command):
        self.name, self.version = name, version
        environment = dict(os.environ, OMP_NUM_THREADS=command[-1])
        self.child = subprocess.Popen(command[:-1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      env=environment)
        if not version:
            self.version = self.read()

    def read(self):
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: ended with status {self.child.wait()}")
        return line.strip()

    def embed(self, count):
        self.child.stdin.write(f"{count}\n")
        self.child.stdin.flush()
        return float(self.read())

    def close(self):
        self.child.stdin.close()
        if self.child.wait() != 0:
            raise RuntimeError(f"{self.name}: ended with status {self.child.returncode}")


def start(name, options, folder, threads, output=None):
    if name == "pts":
        command = [options.ptsbench, "encoders", "--follow", "-w", os.path.join(folder, "weights.ptsw"),
                   "--threads", str(threads)] + (["-o", output] if output else [])
        return Contestant(name, options.version, command + [str(threads)])
    command = [sys.executable, os.path.join(HERE, "contestant.py"), name, folder, str(threads)]
    return Contestant(name, None, command + ([output] if output else []) + [str(threads)])


def same_result(name, options, folder, reference):
    """Whether the contestant computes what torch computes in float64; prints by how much not."""
    with tempfile.TemporaryDirectory() as scratch:
        output = os.path.join(scratch, "embeddings")
        contestant = start(name, options, folder, max(options.threads), output)
        contestant.embed(len(reference))
        contestant.close()
        got = np.fromfile(output, "<f4").reshape(reference.shape).astype(np.float64)
    error = np.abs(got - reference).max() / np.abs(reference).max()
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(reference, axis=1)
    cosine = (got * reference).sum(1) / norms
    print(f"{name + ' ' + contestant.version:38} max|Δ|/max {error:.1e}   cosine ≥ 1 - {1 - cosine.min():.1e}",
          flush=True)
    return error <= TOLERANCE


def able(names, options, folder):
    reference = np.load(os.path.join(folder, "reference.npy"))
    print(f"\nagainst torch in float64, {len(reference)} images:")
    chosen = []
    for name in names:
        try:
            if not same_result(name, options, folder, reference):
                raise RuntimeError(f"{name}: computes something else")
            chosen.append(name)
        except (RuntimeError, OSError, ValueError) as problem:
            if name == "pts":
                raise SystemExit(f"peers: {problem}")
            say(f"peers: left out: {problem}")
    return chosen


# ---- the run ----


class Quiet:
    """What disturbs: CPU time of contestants whose turn it is not, and of the rest of the machine."""

    def __init__(self, contestants):
        self.pids = [c.child.pid for c in contestants]
        self.idle = self.passes = 0.0
        self.wall, self.busy, self.own = time.monotonic(), busy_seconds(), self.children()

    def children(self):
        return sum(process_seconds(pid) for pid in self.pids) + process_seconds("self")

    def timed(self, contestant, count):
        others = [pid for pid in self.pids if pid != contestant.child.pid]
        before = sum(map(process_seconds, others))
        seconds = contestant.embed(count)
        self.idle += sum(map(process_seconds, others)) - before
        self.passes += seconds
        return seconds

    def report(self):
        wall = (time.monotonic() - self.wall) * os.cpu_count()
        strangers = busy_seconds() - self.busy - (self.children() - self.own)
        print(f"idle contestants used {100 * self.idle / self.passes:.2f} % of a core during passes; "
              f"other processes {100 * max(strangers, 0) / wall:.1f} % of the machine")


def rounds(contestants, batch, options, quiet):
    """{name: seconds}: one pass a round of each, in an order that rotates."""
    times = {c.name: [] for c in contestants}
    for c in contestants:
        for _ in range(options.warmup):
            c.embed(batch)
    for i in range(options.rounds):
        turn = i % len(contestants)
        for c in contestants[turn:] + contestants[:turn]:
            time.sleep(options.pause)
            times[c.name].append(quiet.timed(c, batch))
    return times


def summary(seconds):
    ordered = sorted(1e3 * s for s in seconds)
    p90 = ordered[-(-9 * len(ordered) // 10) - 1]
    return statistics.median(ordered), ordered[0], p90, len(ordered)


def floor_rows(options, folder, threads):
    """The time of the textbook's operations at the peak that ptsbench measures, as rows."""
    command = [options.ptsbench, "encoders", "--json", "--threads", str(threads), "-w",
               os.path.join(folder, "weights.ptsw")]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    peak, image = found["peak_gflops"], found["lines"][0]["gflop"]
    level = found["cpu_level"]
    print(f"\n{plural(threads)}: measured FMA peak {peak:.1f} GFLOP/s ({level}), {image:.2f} GFLOP an image")
    return {batch: [1e3 * image * batch / peak] * 3 + [0] for batch in models.BATCHES}, level


def print_table(threads, batch, results):
    print(f"\n{plural(threads)}, batch {batch}:")
    ours = results["pts"][0]
    for name, (median, best, p90, runs) in sorted(results.items(), key=lambda item: item[1][0]):
        ratio = "" if name == "pts" or not runs else f"{median / ours:6.2f}×"
        print(f"  {name:24} median {median:8.2f}  min {best:8.2f}  p90 {p90:8.2f} ms  {ratio}")
    sys.stdout.flush()


def run_threads(names, options, folder, threads, cpu):
    rows, (floor, level) = [], floor_rows(options, folder, threads)
    contestants = [start(name, options, folder, threads) for name in names]
    quiet = Quiet(contestants)
    versions = {c.name: c.version for c in contestants} | {FLOOR: level}
    for batch in models.BATCHES:
        times = rounds(contestants, batch, options, quiet)
        results = {name: summary(seconds) for name, seconds in times.items()} | {FLOOR: floor[batch]}
        print_table(threads, batch, results)
        for name, (median, best, p90, runs) in results.items():
            rows.append([datetime.date.today().isoformat(), cpu, threads, batch, options.model, name,
                         versions[name], f"{median:.3f}", f"{best:.3f}", f"{p90:.3f}", runs])
    quiet.report()
    for c in contestants:
        c.close()
    return rows


# ---- results ----


def write_rows(path, rows):
    """Replaces what the file has of the same model and threads."""
    new = {(row[4], str(row[2])) for row in rows}
    kept = []
    if os.path.exists(path):
        with open(path, newline="") as file:
            kept = [r for r in list(csv.reader(file))[1:] if (r[4], r[2]) not in new]
    temporary = path + ".part"
    with open(temporary, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(kept + rows)
    os.replace(temporary, path)


def measure_growth(options, folder, base):
    say("peers: growth by batch, threads and images (minutes)")
    command = [options.ptsbench, "encoders", "--growth", "--threads", str(max(options.threads)), "-w",
               os.path.join(folder, "weights.ptsw")]
    path = f"{base}-growth-{options.model}.csv"
    with open(path + ".part", "w") as file:
        subprocess.run(command, stdout=file, check=True)
    os.replace(path + ".part", path)
    plot.growth(path, path[:-4] + ".svg", cpu_name(), options.model)
    print(f"written: {path}, {path[:-4]}.svg")


def ptsbench_version(options):
    ptsinfer = os.path.join(os.path.dirname(options.ptsbench), "ptsinfer")
    found = subprocess.run([ptsinfer, "--version"], stdout=subprocess.PIPE, text=True, check=True)
    return found.stdout.split()[-1]


def arguments():
    parser = argparse.ArgumentParser(prog="bench/peers/run", description="pts and its peers, interleaved")
    parser.add_argument("--model", choices=sorted(models.SIDES), default="inception_v3")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20, help="timed passes of each contestant")
    parser.add_argument("--warmup", type=int, default=3, help="passes before them")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between contestants")
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS, metavar="NAME", help=", ".join(PEERS))
    parser.add_argument("--weights", default=os.path.join(ROOT, "weights", "inception_v3.ptsw"))
    parser.add_argument("--ptsbench", default=os.path.join(ROOT, "build", "ptsbench"))
    parser.add_argument("--cache", default=os.path.join(ROOT, "build", "peers"), help="exported models")
    parser.add_argument("--results", default=os.path.join(ROOT, "bench", "results"))
    parser.add_argument("--name", help="of the result files (the processor's)")
    parser.add_argument("--growth", action="store_true", help="time and memory by size instead, of pts alone")
    parser.add_argument("--plot", action="store_true", help="draw the csv again, measure nothing")
    options = parser.parse_args()
    if min(options.threads) < 1 or min(options.rounds, options.warmup) < 1 or options.pause < 0:
        parser.error("threads, rounds and warm-up: at least 1; pause: at least 0")
    if options.model == "clip":
        # Four dimensions in any order are the same to a network of matrices.
        options.peers = [name for name in options.peers if name != "PyTorch channels_last"]
    return options


def main():
    options = arguments()
    os.makedirs(options.results, exist_ok=True)
    cpu = cpu_name()
    base = os.path.join(options.results, options.name or file_name(cpu))
    if options.plot:
        plot.contestants(base + ".csv", base + ".svg")
        return
    needed = [options.ptsbench] + ([options.weights] if options.model != "clip" else [])
    for path in needed:
        if not os.path.exists(path):
            raise SystemExit(f"peers: {path}: not there (README.md says how to build and to fetch weights)")
    options.version = ptsbench_version(options)
    say("peers: exporting the model (kept for the next run)")
    folder = models.prepare(options.model, options.weights, options.cache)
    if options.growth:
        measure_growth(options, folder, base)
        return
    print(f"{cpu}, {os.cpu_count()} cores; {options.model}, float32, {options.rounds} rounds")
    names = able(["pts"] + options.peers, options, folder)
    rows = []
    for threads in options.threads:
        rows += run_threads(names, options, folder, threads, cpu)
    write_rows(base + ".csv", rows)
    plot.contestants(base + ".csv", base + ".svg")
    print(f"\nwritten: {base}.csv, {base}.svg")


if __name__ == "__main__":
    main()
