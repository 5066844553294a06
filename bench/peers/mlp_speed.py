"""Training the study's heads: ptsbench mlp beside PyTorch, in one run.

    python3 bench/peers/mlp_speed.py [build/ptsbench] [--threads 2] [--rounds 10]      needs torch

Both train 4·dim → 2048 → 1024 → 512 → 256 → 4 with ReLU, float32, on the mean squared error by Adam, 64
samples a step, each four of 4,096 embeddings drawn anew; dim 512 is CLIP's, 2048 InceptionV3's. PyTorch runs
twice, with its default Adam and with fused=True. Rounds alternate, so that what slows the machine hits all;
the medians of the rounds' medians count, and the ratios of them.
"""
import argparse
import json
import statistics
import subprocess
import time

import torch

ROWS, IMAGES, EPOCH, STEPS = 64, 4096, 40_000, 20
HEADS = {"CLIP": 512, "InceptionV3": 2048}


class Torch:
    """The head in PyTorch; ms() is the median of some steps."""

    def __init__(self, dim, fused):
        sizes, layers = [4 * dim, 2048, 1024, 512, 256, 4], []
        for a, b in zip(sizes, sizes[1:]):
            layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
        self.net = torch.nn.Sequential(*layers[:-1])
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-3, fused=fused)
        self.embeddings, self.target = torch.rand(IMAGES, dim), 10 + torch.rand(ROWS, 4)

    def step(self):
        x = self.embeddings[torch.randint(IMAGES, (4 * ROWS,))].reshape(ROWS, -1)
        self.optimiser.zero_grad()
        torch.nn.functional.mse_loss(self.net(x), self.target).backward()
        self.optimiser.step()

    def ms(self):
        times = []
        self.step()
        for _ in range(STEPS):
            begin = time.perf_counter()
            self.step()
            times.append(1000 * (time.perf_counter() - begin))
        return statistics.median(times)


def ours_ms(program, threads):
    out = subprocess.run([program, "mlp", "--json", "--threads", str(threads)], check=True,
                         capture_output=True, text=True)
    lines = json.loads(out.stdout)["lines"]
    return {head: next(r["median_ms"] for r in lines if head in r["name"]) for head in HEADS}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program", nargs="?", default="build/ptsbench")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=10)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    peers = {(head, name): Torch(dim, fused) for head, dim in HEADS.items()
             for name, fused in (("Adam", False), ("Adam, fused", True))}
    times = {}
    for _ in range(options.rounds):
        for head, ms in ours_ms(options.program, options.threads).items():
            times.setdefault((head, "pts"), []).append(ms)
        for key, peer in peers.items():
            times.setdefault(key, []).append(peer.ms())
    print(f"{options.threads} threads, {options.rounds} rounds, PyTorch {torch.__version__}; "
          f"an epoch is {EPOCH} samples")
    for head in HEADS:
        own = statistics.median(times[head, "pts"])
        for name in ("pts", "Adam", "Adam, fused"):
            ms = statistics.median(times[head, name])
            who = name if name == "pts" else f"PyTorch {name}"
            print(f"{head:12} {who:20} {ms:8.2f} ms a step {ms * EPOCH / ROWS / 1000:7.2f} s an epoch "
                  f"{ms / own:6.2f} x pts")


if __name__ == "__main__":
    main()
