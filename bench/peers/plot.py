"""The figures, from the csv files alone."""
import csv

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

OURS, THEIRS, LINE, TEXT = "#c2410c", "#9aa5b1", "#1f2937", "#374151"
TITLES = {"inception_v3": "InceptionV3, 299 × 299", "clip": "CLIP ViT-B/32, 224 × 224"}
FLOOR = "FMA floor"

plt.rcParams.update({
    "svg.hashsalt": "pts", "svg.fonttype": "path", "font.size": 9, "axes.spines.top": False,
    "axes.spines.right": False, "axes.titlesize": 9, "text.color": TEXT, "axes.labelcolor": TEXT,
    "xtick.color": TEXT, "ytick.color": TEXT, "axes.edgecolor": "#d1d5db"})


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def save(figure, path):
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


# ---- contestants ----


def panel(axes, rows, order, right):
    """Bars of milliseconds an image; beside them the median and the peer's ratio to ours. A stroke
    that leaves the panel is cut: a disturbed pass must not shrink the bars."""
    found = {r["contestant"]: r for r in rows}
    batch, threads = int(rows[0]["batch"]), int(rows[0]["threads"])
    ours = float(found["pts"]["median_ms"])
    for y, name in enumerate(order):
        if name not in found:
            continue
        median, low, p90 = (float(found[name][key]) for key in ("median_ms", "min_ms", "p90_ms"))
        high = min(max(p90, median) / batch, 0.7 * right)
        axes.barh(y, median / batch, 0.66, color=OURS if name == "pts" else THEIRS)
        axes.plot([low / batch, high], [y, y], color=LINE, linewidth=0.9, solid_capstyle="butt")
        ratio = "" if name == "pts" else f"  {median / ours:.2f}×"
        axes.text(high + 0.015 * right, y, f"{median / batch:.1f}{ratio}", va="center",
                  color=OURS if name == "pts" else TEXT, fontsize=8,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})  # over the floor's line
    floor = float(found[FLOOR]["median_ms"]) / batch
    axes.axvline(floor, color=LINE, linewidth=1, linestyle=(0, (4, 2)))
    axes.set_xlim(0, right)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xlabel("ms an image")
    axes.tick_params(length=0)
    axes.set_title(f"{threads} thread{'s' if threads > 1 else ''}, batch {batch}; floor {floor:.1f}", loc="left")


def contestants(path, out):
    rows = read(path)
    names = [m for m in TITLES if any(r["model"] == m for r in rows)]
    cases = sorted({(int(r["threads"]), int(r["batch"])) for r in rows})
    shares = [0.85 + 0.27 * len(order_of(rows, m)) for m in names]
    figure = plt.figure(figsize=(2.6 * len(cases) + 1.4, 0.62 + sum(shares)), layout="constrained")
    parts = figure.subfigures(len(names), 1, squeeze=False, height_ratios=shares)[:, 0]
    for part, model in zip(parts, names):
        draw_model(part, model, [r for r in rows if r["model"] == model], cases)
    figure.supxlabel(
        f"{rows[0]['cpu']}, float32. Bars: median; strokes: best to 90th percentile; ×: peer over pts. "
        "Dashed floor: the direct algorithm's operations at the measured FMA peak.", fontsize=8, color=TEXT)
    save(figure, out)


def order_of(rows, model):
    """Contestants of a model by the sum of their medians; the floor is a line, not a bar."""
    totals = {}
    for r in rows:
        if r["model"] == model and r["contestant"] != FLOOR:
            totals.setdefault(r["contestant"], []).append(float(r["median_ms"]) / int(r["batch"]))
    return sorted(totals, key=lambda name: sum(totals[name]) / len(totals[name]))


def draw_model(part, model, rows, cases):
    versions = {r["contestant"]: r["version"].split("+")[0] for r in rows}
    order = order_of(rows, model)
    part.suptitle(TITLES[model], x=0.01, ha="left", fontweight="bold", fontsize=10)
    grid = part.subplots(1, len(cases), sharey=True, squeeze=False)[0]
    for axes, (threads, batch) in zip(grid, cases):
        chosen = [r for r in rows if (int(r["threads"]), int(r["batch"])) == (threads, batch)]
        if not chosen:
            axes.set_axis_off()
            continue
        same = [r for r in rows if int(r["threads"]) == threads]
        right = 1.55 * max(float(r["median_ms"]) / int(r["batch"]) for r in same)
        panel(axes, chosen, order, right)
    grid[0].set_yticks(range(len(order)), [f"{name} {versions[name]}" for name in order])
    grid[0].get_yticklabels()[order.index("pts")].set_color(OURS)


# ---- growth ----


def growth(path, out, cpu, model):
    rows = read(path)
    figure, grid = plt.subplots(2, 2, figsize=(8.6, 5.4), layout="constrained")
    figure.suptitle(f"{TITLES[model]}: pts by size, {cpu}", x=0.01, ha="left", fontweight="bold", fontsize=10)
    for column, (what, label) in enumerate((("batch", "images in one batch, all in memory"),
                                            ("images", "images, made when their turn comes"))):
        draw_growth(grid[:, column], [r for r in rows if r["what"] == what], label)
    top = max(int(r["peak_bytes"]) for r in rows) / 1e6
    slowest = max(float(r["seconds_per_image"]) for r in rows) * 1e3
    for axes in grid[0]:
        axes.set_ylim(0, 1.15 * slowest)
    for axes in grid[1]:
        axes.set_ylim(0, 1.15 * top)
    grid[0][0].set_ylabel("ms an image")
    grid[1][0].set_ylabel("peak memory of the process, MB")
    save(figure, out)


def draw_growth(pair, rows, label):
    threads = sorted({int(r["threads"]) for r in rows})
    colours = ["#0f766e", OURS, "#6d28d9", "#1d4ed8", "#a16207", "#be123c", "#4d7c0f", "#334155", "#111827"]
    counts = sorted({int(r["count"]) for r in rows})
    for number, colour in zip(threads, colours):
        line = [r for r in rows if int(r["threads"]) == number]
        x = [int(r["count"]) for r in line]
        name = f"{number} thread{'s' if number > 1 else ''}"
        pair[0].plot(x, [1e3 * float(r["seconds_per_image"]) for r in line], "o-", ms=3.5, color=colour, label=name)
        pair[1].plot(x, [int(r["peak_bytes"]) / 1e6 for r in line], "o-", ms=3.5, color=colour, label=name)
    for axes in pair:
        axes.set_xscale("log")
        axes.set_xticks(counts, [f"{c:,}" for c in counts])
        axes.minorticks_off()
        axes.grid(axis="y", color="#e5e7eb", linewidth=0.6)
        axes.set_xlabel(label)
    pair[0].legend(frameon=False, fontsize=8)
