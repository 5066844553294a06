#!/usr/bin/env python3
"""Robust and bounded fits by scipy: golden.txt.
    python3 tests/data/lm/make_golden.py > tests/data/lm/golden.txt     (numpy 2.4, scipy 1.17)
y = b1 exp(−b2 t) + b3 at 16 points, three of them outliers; a line a case: loss (0 squares, 1 huber,
2 soft_l1, 3 cauchy), its scale, the lower and upper bounds, the solution, the cost. The points come
first. scipy's tolerances end early, so each run is restarted from its own answer.
"""
import numpy as np
from scipy.optimize import least_squares

t = np.arange(16) * 0.5
y = np.round(3 * np.exp(-0.7 * t) + 0.5 + 0.05 * np.sin(7.0 * np.arange(16)), 3)
y[[3, 8, 12]] += [2.5, -1.5, 4]
print(' '.join(f'{v:.17g}' for v in y))


def residuals(b):
    return b[0] * np.exp(-b[1] * t) + b[2] - y


big = np.inf
cases = [('linear', 1.0, [-big] * 3, [big] * 3), ('huber', 0.1, [-big] * 3, [big] * 3),
         ('soft_l1', 0.1, [-big] * 3, [big] * 3), ('cauchy', 0.1, [-big] * 3, [big] * 3),
         ('linear', 1.0, [0, 0, 0], [2.0, 5, 5]), ('linear', 1.0, [0, 0.9, 0], [9, 5, 0.25]),
         ('cauchy', 0.1, [0, 0, 0], [2.5, 5, 5]), ('huber', 0.5, [3.25, 0, -big], [9, 5, big])]
names = ['linear', 'huber', 'soft_l1', 'cauchy']
for loss, scale, low, high in cases:
    x = np.clip([2.0, 1.0, 0.2], np.array(low) + 1e-3, np.array(high) - 1e-3)
    for _ in range(20):
        run = least_squares(residuals, x, jac='3-point', bounds=(low, high), loss=loss, f_scale=scale,
                            xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=10000)
        x = run.x
    numbers = [names.index(loss), scale, *low, *high, *x, run.cost]
    print(' '.join(f'{v:.17g}' for v in numbers))
