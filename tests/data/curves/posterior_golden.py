"""Maximum a posteriori curves by an independent minimiser: posterior_golden.txt.

Recipe: python3 posterior_golden.py > posterior_golden.txt   (Python 3.11, numpy 2.4.6, scipy 1.17.1)
The objective is written down anew from pts/curve.h: Gaussian prior over (A, ln B, ln C, D), a pilot
point at n with standard deviation 1.5 noise sqrt(1 + 50/n). scipy's trust-region-reflective method
with three-point differences from 25 starts; covariance by central differences of the residuals.
"""
import numpy as np
from scipy.optimize import least_squares

MEAN = np.array([0.03, 0.75, 4.7, 0.55])
SD = np.array([0.06, 0.35, 0.6, 0.17])
CORRELATION = np.eye(4)
CORRELATION[0, 3] = CORRELATION[3, 0] = 0.5
CORRELATION[1, 2] = CORRELATION[2, 1] = -0.2
CORRELATION[2, 3] = CORRELATION[3, 2] = -0.3
COVARIANCE = CORRELATION * np.outer(SD, SD)
NOISE = 0.02
CASES = [
    [(5, 0.02), (10, 0.05), (20, 0.04), (40, 0.12)],
    [(10, 0.15), (30, 0.16), (60, 0.33), (60, 0.36), (120, 0.52), (250, 0.60)],
    [(2, 0.30), (8, 0.28), (500, 0.29)],
    [(25, 0.90)],
]


def curve(theta, n):
    a, ln_b, ln_c, d = theta
    return (a - d) / (1 + (n / np.exp(ln_c)) ** np.exp(ln_b)) + d


def solve(points):
    n, y = np.array(points, dtype=float).T
    white = np.linalg.inv(np.linalg.cholesky(COVARIANCE))
    sd = 1.5 * NOISE * np.sqrt(1 + 50 / n)

    def residuals(theta):
        return np.r_[white @ (theta - MEAN), (curve(theta, n) - y) / sd]

    best = None
    for i in np.linspace(-2, 2, 5):
        for j in np.linspace(-2, 2, 5):
            start = MEAN + np.array([0, i, j, 0]) * SD
            fit = least_squares(residuals, start, jac="3-point", xtol=1e-15, ftol=1e-15, gtol=1e-15)
            if best is None or fit.cost < best.cost:
                best = fit
    step = 1e-5
    jacobian = np.array([(residuals(best.x + step * e) - residuals(best.x - step * e)) / (2 * step)
                         for e in np.eye(4)]).T
    return best.x, np.linalg.inv(jacobian.T @ jacobian)


def show(values):
    print(" ".join("%.12g" % v for v in np.ravel(values)))


show(MEAN)
show(COVARIANCE)
show([NOISE, len(CASES)])
for points in CASES:
    mode, covariance = solve(points)
    show([len(points)])
    show(points)
    show(mode)
    show(covariance)
