#!/usr/bin/env python3
"""Projects `mpirun -n RANKS ptstrain collect` from the jobs of a store.

usage: ptstrain runs --store runs.db --jobs --json | simulate.py [--seeds K] [--image S] [--send S]

Each job done is a class, seed and size with its measured seconds. Seeds are multiplied to K, each
copy with the seconds of one measured. Ranks get jobs as next_job of src/collect/collect.c chooses
them. A rank makes the features of the images that a job looks at (S seconds an image): the n for
training and those of validation and test, a quarter of the class's largest n, which is taken to be
all its images for training. What it made before on the data set it has at hand, it has: the same
split's images exactly, those of other splits as independent draws from the class's images; classes
are taken to share none. Coming to another data set costs 32 images more, for the components. The
master handles one result at a time (`--send` seconds each). Standard library only.
"""
import argparse
import collections
import heapq
import json
import sys

COMPONENTS = 32

Job = collections.namedtuple("Job", "dataset name split n seconds")


def load(stream, seeds):
    """The jobs by split, in the plan's order, and the images for training of each class."""
    measured = collections.defaultdict(list)
    for job in json.load(stream)["jobs"]:
        if job["state"] == "done" and job["mode"] == "fresh":
            measured[job["dataset"], job["class"], job["seed"]].append((job["n"], job["seconds"]))
    classes = collections.defaultdict(list)
    for (dataset, name, _), points in measured.items():
        classes[dataset, name].append(sorted(points))
    splits = {}
    for (dataset, name), curves in classes.items():
        for k in range(seeds):
            split = (dataset, name, k)
            splits[split] = [Job(dataset, name, split, n, s) for n, s in curves[k % len(curves)]]
    return splits, {c: max(n for curve in curves for n, _ in curve) for c, curves in classes.items()}


class Queue:
    """Jobs not handed out."""

    def __init__(self, splits):
        self.left = {split: collections.deque(jobs) for split, jobs in splits.items()}
        self.live = collections.defaultdict(dict)  # [data set]: its splits with jobs left, in order
        self.untouched = collections.defaultdict(collections.deque)
        for split in splits:
            self.live[split[0]][split] = None
            self.untouched[split[0]].append(split)
        self.held = collections.Counter()  # ranks on a data set

    def choose(self, last):
        if last and self.left[last]:
            return last
        dataset = last[0] if last and self.live[last[0]] else None
        if not dataset:
            live = [d for d, splits in self.live.items() if splits]
            if not live:
                return None
            free = (d for d in live if not self.held[d])
            fresh = (d for d in live if self.untouched[d])
            dataset = next(free, None) or next(fresh, live[0])
        if self.untouched[dataset]:
            return self.untouched[dataset].popleft()
        return next(iter(self.live[dataset]))

    def take(self, last):
        split = self.choose(last)
        if split is None:
            return None
        if last:
            self.held[last[0]] -= 1
        self.held[split[0]] += 1
        job = self.left[split].popleft()
        if not self.left[split]:
            del self.live[split[0]][split]
        return job


class Rank:
    """What a rank has made the features of."""

    def __init__(self):
        self.split, self.n, self.known = None, 0, 0.0
        self.made = {}

    def images(self, job, most):
        """Images to make for a job, of a class with `most` for training."""
        pool, new = 1.25 * most, 0
        if not self.split or self.split[0] != job.dataset:
            self.made, new = {}, COMPONENTS
        if self.split != job.split:
            self.split, self.n = job.split, 0
            self.known = self.made.get(job.name, 0) / pool
            wanted = 0.25 * most + job.n
        else:
            wanted = max(0, job.n - self.n)
        self.n = max(self.n, job.n)
        self.made[job.name] = self.made.get(job.name, 0) + wanted * (1 - self.known)
        return new + wanted * (1 - self.known)


def simulate(splits, most, ranks, image, send):
    """Seconds until the end, and those spent on images by all ranks."""
    queue, states = Queue(splits), [Rank() for _ in range(ranks)]
    free = [(0.0, r) for r in range(ranks)]
    master, end, preparing = 0.0, 0.0, 0.0
    while free:
        now, rank = heapq.heappop(free)
        master = max(master, now) + send
        job = queue.take(states[rank].split)
        if job is None:
            end = max(end, now)
            continue
        cost = image * states[rank].images(job, most[job.dataset, job.name])
        preparing += cost
        heapq.heappush(free, (master + cost + job.seconds, rank))
    return end, preparing


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--image", type=float, default=0.105, help="seconds an image (0.105)")
    parser.add_argument("--send", type=float, default=0.001, help="seconds a result (0.001)")
    options = parser.parse_args()
    splits, most = load(sys.stdin, options.seeds)
    jobs = [job for split in splits.values() for job in split]
    work = sum(job.seconds for job in jobs)
    alone = simulate(splits, most, 1, options.image, options.send)[0]
    print(f"{len(jobs)} jobs of {len({j.dataset for j in jobs})} data sets, {work / 3600:.2f} h, "
          f"longest {max(j.seconds for j in jobs):.0f} s, one rank {alone / 3600:.2f} h\n")
    print("| ranks | hours | efficiency | features, share of all work |\n|---:|---:|---:|---:|")
    for ranks in (1, 2, 10, 100, 1000):
        end, preparing = simulate(splits, most, ranks, options.image, options.send)
        print(f"| {ranks} | {end / 3600:.3f} | {alone / end / ranks:.2f} | "
              f"{preparing / (preparing + work):.2f} |")


if __name__ == "__main__":
    main()
