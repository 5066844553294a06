#!/usr/bin/env python3
"""Minima of three problems that the paper does not list but far starts lead to: by MINPACK itself
(scipy's least_squares, method 'lm'), and the limits at infinity by minimising what is left there.
    python3 tests/mgh/local_minima.py        (numpy 2.4, scipy 1.17)
"""
import numpy as np
from scipy.optimize import least_squares, minimize_scalar

i = np.arange(1, 4)
y = np.array([1.5, 2.25, 2.625])
c = (i * y).sum() / (i * i).sum()  # x2 → 1, x1 → −∞ with x1(1 − x2) = c
print('beale at (-inf, 1):', ((y - i * c) ** 2).sum())

i = np.arange(1, 11)
print('jennrich_sampson with one term gone:',
      minimize_scalar(lambda x: ((2 + 2 * i - np.exp(i * x)) ** 2).sum(), bounds=(0, 0.5),
                      method='bounded', options={'xatol': 1e-12}).fun)

t = 0.1 * i
def box(x):
    return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))
for factor in 10, 100:
    print(f'box_3d from the start x {factor}:',
          2 * least_squares(box, np.array([0, 10, 20]) * factor, method='lm').cost)

y = np.array([.1957, .1947, .1735, .16, .0844, .0627, .0456, .0342, .0323, .0235, .0246])
u = np.array([4, 2, 1, .5, .25, .167, .125, .1, .0833, .0714, .0625])
def kowalik(x):
    return y - x[0] * u * (u + x[1]) / (u * (u + x[2]) + x[3])
found = {}
random = np.random.default_rng(0)
for k in range(300):
    run = least_squares(kowalik, random.normal(size=4) * [3, 5, 5, 5], method='lm', xtol=1e-15,
                        ftol=1e-15, gtol=1e-15, max_nfev=4000)
    key = f'{2 * run.cost:.5g}'
    found[key] = found.get(key, 0) + 1
print('kowalik_osborne from 300 random starts:',
      [item for item in sorted(found.items(), key=lambda item: -item[1]) if item[1] > 9])

values = """1.366 1.191 1.112 1.013 .991 .885 .831 .847 .786 .725 .746 .679 .608 .655 .616 .606
.602 .626 .651 .724 .649 .649 .694 .644 .624 .661 .612 .558 .533 .495 .5 .423 .395 .375 .372 .391
.396 .405 .428 .429 .523 .562 .607 .653 .672 .708 .633 .668 .645 .632 .591 .559 .597 .625 .739 .71
.729 .72 .636 .581 .428 .292 .162 .098 .054"""
y, t = np.array(values.split(), float), np.arange(65) / 10
def osborne(x):
    return y - x[0] * np.exp(-t * x[4]) - sum(
        x[k] * np.exp(-(t - x[7 + k]) ** 2 * x[4 + k]) for k in (1, 2, 3))
print('osborne_2 from the start x 10:',
      2 * least_squares(osborne, 10 * np.array([1.3, .65, .65, .7, .6, 3, 5, 7, 2, 4.5, 5.5]),
                        method='lm').cost)
