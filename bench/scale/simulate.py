#!/usr/bin/env python3
"""Projects `mpirun -n RANKS ptstrain collect` from the jobs of a store.

usage: ptstrain runs --store runs.db --jobs --json | simulate.py [--seeds K] [--prepare S] [--send S]

Each job done is a class, seed and size with its measured seconds. Seeds are multiplied to K, each
copy with the seconds of one measured. Ranks get jobs as next_job of src/collect/collect.c chooses
them: of the data set at hand, else of one that no rank has, else any; a rank that changes its data
set prepares it first (S seconds a data set). `order` is the plan's, or the largest n first
within that rule. The master handles one result at a time (`--send` seconds each). Standard library
only.
"""
import argparse
import collections
import heapq
import json
import sys


def load(stream, seeds):
    sizes = collections.defaultdict(list)
    for job in json.load(stream)["jobs"]:
        if job["state"] == "done" and job["mode"] == "fresh":
            sizes[job["dataset"], job["class"], job["seed"]].append((job["n"], job["seconds"]))
    groups = collections.defaultdict(list)
    for (dataset, name, _), points in sizes.items():
        groups[dataset, name].append(points)
    jobs = []
    for (dataset, _), measured in groups.items():
        for k in range(seeds):
            jobs += [(dataset, n, s) for n, s in measured[k % len(measured)]]
    return jobs


class Queue:
    """Jobs not handed out, by data set."""

    def __init__(self, jobs, largest_first):
        self.of = collections.defaultdict(collections.deque)
        for job in sorted(jobs, key=lambda j: -j[1]) if largest_first else jobs:
            self.of[job[0]].append(job)
        self.held = collections.Counter()

    def take(self, had):
        left = [d for d, q in self.of.items() if q]
        if not left:
            return None
        if had in left:
            return self.of[had].popleft()
        dataset = next((d for d in left if not self.held[d]), left[0])
        if had:
            self.held[had] -= 1
        self.held[dataset] += 1
        return self.of[dataset].popleft()


def simulate(jobs, ranks, prepare, send, largest_first):
    queue = Queue(jobs, largest_first)
    free = [(0.0, r) for r in range(ranks)]
    had, master, end, preparing = {}, 0.0, 0.0, 0.0
    while free:
        now, rank = heapq.heappop(free)
        master = max(master, now) + send
        job = queue.take(had.get(rank))
        if job is None:
            end = max(end, now)
            continue
        cost = 0 if had.get(rank) == job[0] else prepare
        preparing += cost
        had[rank] = job[0]
        heapq.heappush(free, (master + cost + job[2], rank))
    return end, preparing


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--prepare", type=float, default=60, help="seconds a data set (60)")
    parser.add_argument("--send", type=float, default=0.001, help="seconds a result (0.001)")
    options = parser.parse_args()
    jobs = load(sys.stdin, options.seeds)
    work = sum(s for _, _, s in jobs)
    sets = len({d for d, _, _ in jobs})
    alone = work + sets * options.prepare
    print(f"{len(jobs)} jobs of {sets} data sets, {work / 3600:.2f} h, "
          f"longest {max(s for _, _, s in jobs):.0f} s, one rank {alone / 3600:.2f} h\n")
    print("| ranks | order | hours | efficiency | preparing, share of all work |\n"
          "|---:|---|---:|---:|---:|")
    for ranks in (1, 2, 10, 100, 1000):
        for largest in (False, True):
            end, preparing = simulate(jobs, ranks, options.prepare, options.send, largest)
            print(f"| {ranks} | {'largest n first' if largest else 'plan'} | {end / 3600:.3f} | "
                  f"{alone / end / ranks:.2f} | {preparing / (preparing + work):.2f} |")


if __name__ == "__main__":
    main()
