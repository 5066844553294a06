"""Maximum a posteriori curves by an independent minimiser: posterior_golden.txt.

Recipe: python3 posterior_golden.py > posterior_golden.txt   (Python 3.11, numpy 2.4.6, scipy 1.17.1)
The objective is written down anew from pts/curve.h: Gaussian prior over (A, ln B, ln C, D), a pilot
point at n with standard deviation 1.5 noise sqrt(1 + 50/n). scipy's trust-region-reflective method
from 25 starts; derivatives by complex steps. The prior's second part, any curve at all, has one
curve in two hundred: of the two parts' modes the one with more mass by Laplace (the last case's).
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
ANY_MEAN = np.array([0.2, 0.5, 4, 0.5])
ANY_COVARIANCE = np.diag([0.3, 0.8, 2, 0.35]) ** 2
PARTS = [(0.995, MEAN, COVARIANCE), (0.005, ANY_MEAN, ANY_COVARIANCE)]
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


def solve_part(points, share, mean, covariance):
    n, y = np.array(points, dtype=float).T
    white = np.linalg.inv(np.linalg.cholesky(covariance))
    sd = 1.5 * NOISE * np.sqrt(1 + 50 / n)

    def residuals(theta):
        return np.r_[white @ (theta - mean), (curve(theta, n) - y) / sd]

    def jacobian(theta):
        return np.array([residuals(theta + 1e-30j * e).imag / 1e-30 for e in np.eye(4)]).T

    best = None
    for i in np.linspace(-2, 2, 5):
        for j in np.linspace(-2, 2, 5):
            start = mean + np.array([0, i, j, 0]) * np.sqrt(np.diag(covariance))
            fit = least_squares(residuals, start, jac=jacobian, xtol=1e-15, ftol=1e-15, gtol=1e-15)
            if best is None or fit.cost < best.cost:
                best = fit
    rows = jacobian(best.x)
    hessian = rows.T @ rows
    mass = np.log(share) + np.log(np.linalg.det(white)) - best.cost - np.log(np.linalg.det(hessian)) / 2
    return mass, best.x, np.linalg.inv(hessian)


def solve(points):
    return max((solve_part(points, *part) for part in PARTS), key=lambda found: found[0])[1:]


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
