"""Splits by an implementation of its own of what pts/data.h says: python3 make.py > splits.txt

A line: seed, count and keep, then three lines: train, test, val (elements of the pool 100, 101 …).
"""
import math

MASK = (1 << 64) - 1


def splitmix64(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


# The first numbers of Vigna's splitmix64.c for this seed, as published in many test suites.
first = splitmix64(1234567)
assert [next(first) for _ in range(3)] == [
    6457827717110365317, 3203168211198807973, 9817491932198370423]


def split(pool, seed, keep):
    draws = splitmix64(seed)
    order = list(pool)
    for i in range(len(order) - 1, 0, -1):
        cycle = (1 << 64) // (i + 1) * (i + 1)
        x = next(draws)
        while x >= cycle:
            x = next(draws)
        order[i], order[x % (i + 1)] = order[x % (i + 1)], order[i]
    n = max(1, math.floor(keep * len(order) + 0.5))
    test = max(1, math.floor(0.1 * n + 0.5))
    val = max(1, math.floor(0.1 * n + 0.5))
    train = n - test - val
    return order[:train], order[train:train + test], order[train + test:n]


for seed, count, keep in [(43, 3, 1.0), (43, 10, 1.0), (44, 10, 1.0), (0, 25, 1.0),
                          (9223372036854775807, 60, 0.5), (43, 270, 1.0)]:
    print(seed, count, keep)
    for part in split(range(100, 100 + count), seed, keep):
        print(*part)
