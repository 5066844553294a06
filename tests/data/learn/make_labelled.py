"""labelled.txt: the rule that weighs measured curves by their labels, written anew with numpy: the
kernel in one expression, the ridge as regressions of the unit curves with an intercept, and the
curve nearest to the weighted mean by scipy. python3 make_labelled.py (numpy 2.4.6, scipy 1.17)"""
import numpy as np
from scipy.optimize import least_squares

rng = np.random.default_rng(5)
KNOWN, LABELS, GRID, ASKED = 7, 5, 12, 3
votes = np.array([1, 1, 1, 0.5, 0.5, 0.5, 0.5]) / 5
labels = rng.normal(size=(KNOWN, LABELS)) * [0.8, 0.7, 0.2, 0.1, 0.3] + [1, -2, 0.4, 0.6, 0.2]
asked = rng.normal(size=(ASKED, LABELS)) * [0.8, 0.7, 0.2, 0.1, 0.3] + [1, -2, 0.4, 0.6, 0.2]
asked[2] *= 4  # far off: held within 2.5 deviations
log_n = np.linspace(np.log(2), np.log(400), GRID)
rise = rng.uniform(0.2, 0.9, KNOWN)[:, None]
half = rng.uniform(1, 5, KNOWN)[:, None]
curves = rise / (1 + np.exp(-(log_n - half))) + 0.02
radius, penalty = 0.7, 0.3
start = np.array([0.05, 0.1, 3.0, 0.5])

mean = votes @ labels
deviation = np.sqrt(votes @ (labels - mean) ** 2)
X = (labels - mean) / (deviation + 1e-4)
Q = np.clip((asked - mean) / (deviation + 1e-4), -2.5, 2.5)
kernel = votes * np.exp(-((Q[:, None] - X[None]) ** 2).mean(-1) / (2 * radius**2))
kernel /= kernel.sum(1, keepdims=True)
# min Σ v (y − a − x·b)² + λ |b|², no penalty on a, for each unit curve y
design = np.hstack([np.ones((KNOWN, 1)), X])
normal = design.T @ (votes[:, None] * design) + penalty * np.diag([0] + [1] * LABELS)
ridge = np.hstack([np.ones((ASKED, 1)), Q]) @ np.linalg.solve(normal, design.T * votes)
weights = (kernel + ridge) / 2

weak_mean, weak_deviation = np.array([0.05, 0.3, 4, 0.5]), np.array([0.1, 0.7, 2, 0.4])


def curve(theta):
    return theta[3] + (theta[0] - theta[3]) / (1 + np.exp(np.exp(theta[1]) * (log_n - theta[2])))


def fit(values):
    def residuals(t):
        return np.concatenate([curve(t) - values, np.sqrt(1e-3) * (t - weak_mean) / weak_deviation])

    return curve(least_squares(residuals, start, xtol=1e-15, ftol=1e-15, gtol=1e-15).x)


with open("labelled.txt", "w") as out:
    for block in (votes, labels, asked, log_n, curves, [radius, penalty], start, weights,
                  [fit(np.clip(w @ curves, 0, 1)) for w in weights]):
        for row in np.atleast_2d(block):
            out.write(" ".join(f"{x:.17g}" for x in row) + "\n")
