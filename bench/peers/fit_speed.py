"""ptsbench's 4PL fit beside scipy.optimize.curve_fit on the same 45 points, in one run.

    python3 bench/peers/fit_speed.py [build/ptsbench]      needs numpy and scipy

Both start cold: curve_fit from its default (all ones), ours from nothing. Rounds alternate, so that
what slows the machine hits both; the fastest single fit of each counts.
"""
import json
import subprocess
import sys
import time
import warnings

import numpy as np
from scipy.optimize import curve_fit

ROUNDS, FITS = 5, 100


def uniform(state):
    """bench_uniform of ptsbench: see bench/ptsbench.c."""
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return state, (state >> 11) / 2**53


def points():
    """The data of bench_lm in bench/engine.c."""
    state, n, y = 3, [], []
    for i in range(45):
        n.append(np.floor(2 * 300 ** (i / 44)) + i)
        state, u = uniform(state)
        y.append(curve(n[-1], 0.02, 1.7, 80, 0.6) + 0.04 * (u - 0.5))
    return np.array(n), np.array(y)


def curve(n, a, b, c, d):
    return (a - d) / (1 + (n / c) ** b) + d


def scipy_ms(n, y):
    best = float("inf")
    for _ in range(FITS):
        begin = time.perf_counter()
        curve_fit(curve, n, y, maxfev=5000)
        best = min(best, time.perf_counter() - begin)
    return 1000 * best


def ours_ms(program):
    out = subprocess.run([program, "lm", "--json"], check=True, capture_output=True, text=True)
    rows = json.loads(out.stdout)
    return next(r["best_ms"] for r in rows["lines"] if "cold start" in r["name"])


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "build/ptsbench"
    warnings.simplefilter("ignore")  # overflow on the way from all ones
    n, y = points()
    theirs, ours = [], []
    for _ in range(ROUNDS):
        theirs.append(scipy_ms(n, y))
        ours.append(ours_ms(program))
    print(f"scipy {min(theirs):.3f} ms, pts {min(ours):.4f} ms a fit: "
          f"{min(theirs) / min(ours):.0f} times as fast")


if __name__ == "__main__":
    main()
