"""ptstrain map beside pycocotools and faster-coco-eval on one large COCO file, in one run.

    python3 bench/peers/map_speed.py [--build build] [--images 5000] [--rounds 5] [--threads N]

needs numpy, pycocotools and faster-coco-eval. The first run draws the files into BUILD/map_speed (seed 6):
640 × 480 pictures with 7.3 objects on average (COCO's val2017 has 7.3) of 80 categories with COCO's long
tail, 1 % crowd regions as uncompressed runs, the others polygons; and per picture up to 100 detections, 36 on
average, that are true outlines moved, scaled and bent, or at random places; masks as compressed
run lengths (segm) or boxes (bbox).

Every contestant is a process of its own that reads the two files and evaluates them; rounds rotate,
and the medians count. Seconds of the clock and of the processor, for reading and evaluating apart, and the
process' peak memory. The twelve figures must agree to 1e-9 or the run fails.
"""
import argparse
import contextlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time

KINDS = ("segm", "bbox")
CONTESTANTS = ("pts", "faster-coco-eval", "pycocotools")
HEIGHT, WIDTH, CATEGORIES = 480, 640, 80


# ---- the files ----

def outline(rng, centre, radius, points):
    """A smooth star: a circle with a few waves."""
    import numpy as np
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    waves = sum(rng.normal(0, 0.12 / k) * np.cos(k * angle + rng.uniform(0, 6)) for k in (1, 2, 3, 5, 9))
    aspect = np.exp(rng.normal(0, 0.3))
    x = centre[0] + radius * aspect * (1 + waves) * np.cos(angle)
    y = centre[1] + radius / aspect * (1 + waves) * np.sin(angle)
    return np.stack([x, y], 1)


def clip(xy):
    import numpy as np
    return np.round(np.clip(xy, 0, (WIDTH, HEIGHT)), 2)


def box_of(xy):
    low, high = xy.min(0), xy.max(0)
    return [round(float(v), 2) for v in (*low, *(high - low))]


def random_outline(rng):
    import numpy as np
    radius = float(np.clip(np.exp(rng.normal(3.4, 0.9)), 4, 230))
    centre = rng.uniform((0, 0), (WIDTH, HEIGHT))
    return clip(outline(rng, centre, radius, int(rng.integers(12, 60))))


def moved(rng, xy):
    """A detection of a true outline: better or worse."""
    import numpy as np
    size, error = xy.max(0) - xy.min(0), abs(rng.normal(0, 0.12))
    middle = xy.mean(0)
    new = middle + (xy - middle) * np.exp(rng.normal(0, error, 2)) + rng.normal(0, error, 2) * size
    return clip(new + rng.normal(0, 0.6, xy.shape)), error


def annotation(rng, number, image, category, xy):
    from pycocotools import mask
    one = dict(id=number, image_id=image, category_id=category, iscrowd=0, bbox=box_of(xy))
    rle = mask.frPyObjects([xy.flatten().tolist()], HEIGHT, WIDTH)[0]
    one["area"] = float(mask.area(rle))
    one["segmentation"] = [xy.flatten().tolist()]
    if rng.random() < 0.01:
        flat = mask.decode(rle).flatten(order="F")
        import numpy as np
        edges = np.flatnonzero(np.diff(flat)) + 1
        counts = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
        one.update(iscrowd=1, segmentation=dict(size=[HEIGHT, WIDTH], counts=([0] if flat[0] else []) + counts))
    return one


def draw_image(rng, image, share, truths, found):
    import numpy as np
    mine = []
    for _ in range(rng.poisson(7.3)):
        category, xy = int(rng.choice(CATEGORIES, p=share)) + 1, random_outline(rng)
        if np.ptp(xy, axis=0).min() < 3:
            continue
        mine.append((category, xy))
        truths.append(annotation(rng, len(truths) + 1, image, category, xy))
    wanted = int(min(100, rng.gamma(2.2, 16.8)))
    for _ in range(wanted):
        if mine and rng.random() < 0.6:
            category, xy = mine[rng.integers(len(mine))]
            xy, error = moved(rng, xy)
            score = 1 / (1 + np.exp(12 * error - 1.5 + rng.normal(0, 1.2)))
            category = category if rng.random() < 0.85 else int(rng.integers(1, CATEGORIES + 1))
        else:
            category, xy = int(rng.choice(CATEGORIES, p=share)) + 1, random_outline(rng)
            score = rng.beta(1, 6)
        found.append((image, category, round(float(score), 5), xy))


def write_results(found, folder):
    from pycocotools import mask
    for kind in KINDS:
        with open(os.path.join(folder, kind + ".json"), "w") as out:
            for i, (image, category, score, xy) in enumerate(found):
                one = dict(image_id=image, category_id=category, score=score)
                if kind == "bbox":
                    one["bbox"] = box_of(xy)
                else:
                    rle = mask.frPyObjects([xy.flatten().tolist()], HEIGHT, WIDTH)[0]
                    one["segmentation"] = dict(size=rle["size"], counts=rle["counts"].decode())
                out.write(("[" if i == 0 else ",") + json.dumps(one))
            out.write("]")


def draw(folder, images):
    import numpy as np
    rng = np.random.default_rng(6)
    share = 1 / (np.arange(CATEGORIES) + 2.0)
    share /= share.sum()
    truths, found = [], []
    for image in range(1, images + 1):
        draw_image(rng, image, share, truths, found)
    os.makedirs(folder, exist_ok=True)
    write_results(found, folder)
    pictures = [dict(id=i, height=HEIGHT, width=WIDTH, file_name=f"{i:012}.jpg") for i in range(1, images + 1)]
    names = [dict(id=c, name=f"category {c}") for c in range(1, CATEGORIES + 1)]
    with open(os.path.join(folder, "gt.json"), "w") as out:
        json.dump(dict(images=pictures, annotations=truths, categories=names), out)
    print(f"{images} images, {len(truths)} objects, {len(found)} detections")


# ---- the contestants ----

def peer(name, truth, results, kind):
    """In the child: one evaluation; what it took as JSON on stdout."""
    if name == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval as Evaluation
    else:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as Evaluation
    marks = [(time.perf_counter(), time.process_time())]
    with contextlib.redirect_stdout(io.StringIO()):
        truths = COCO(truth)
        found = truths.loadRes(results)
        marks.append((time.perf_counter(), time.process_time()))
        run = Evaluation(truths, found, kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
        marks.append((time.perf_counter(), time.process_time()))
    load, evaluate = ([b - a for a, b in zip(m, n)] for m, n in zip(marks, marks[1:]))
    print(json.dumps(dict(load=load, evaluate=evaluate, figures=[float(v) for v in run.stats[:12]])))


def measured(command):
    """Runs a command; its output, its seconds [clock, processor] and peak MB."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    text = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)}: exit code {child.returncode}")
    return text, [wall, used.ru_utime + used.ru_stime], used.ru_maxrss / 1024


FIGURES = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100", "AR_small",
           "AR_medium", "AR_large")


def contest(name, folder, kind, options):
    truth, results = os.path.join(folder, "gt.json"), os.path.join(folder, kind + ".json")
    if name != "pts":
        text, _, peak = measured([sys.executable, __file__, "--peer", name, truth, results, kind])
        row = json.loads(text)
        row["total"] = [a + b for a, b in zip(row["load"], row["evaluate"])]
        return dict(row, peak=peak)
    command = [os.path.join(options.build, "ptstrain"), "map", "--gt", truth, "--results", results, "--iou", kind,
               "--json", "--times", "--threads", str(options.threads)]
    text, total, peak = measured(command)
    answer = json.loads(text)
    row = {part: [answer["seconds"][part], answer["seconds"][part + "_cpu"]] for part in ("load", "evaluate")}
    return dict(row, total=total, peak=peak, figures=[answer[k] for k in FIGURES])


def check(rows, kind):
    for name in CONTESTANTS:
        for a, b in zip(rows[name][0]["figures"], rows["pycocotools"][0]["figures"]):
            if abs(a - b) > 1e-9:
                sys.exit(f"{kind}: {name} gives {a!r}, pycocotools {b!r}")


def table(rows, kind):
    middle = {n: {part: [statistics.median(r[part][k] for r in rows[n]) for k in (0, 1)]
                  for part in ("load", "evaluate", "total")} for n in CONTESTANTS}
    print(f"\n{kind}: medians of {len(rows['pts'])} rounds, seconds of the clock (of the processor); pts is how often "
          "as fast by the clock")
    for n in CONTESTANTS:
        parts = "  ".join(
            f"{part} {middle[n][part][0]:7.3f} ({middle[n][part][1]:7.3f}) × "
            f"{middle[n][part][0] / middle['pts'][part][0]:5.1f}" for part in middle[n])
        print(f"{n:17} {parts}  peak {max(r['peak'] for r in rows[n]):6.0f} MB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--peer", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(*options.peer)
    folder = os.path.join(options.build, f"map_speed-{options.images}")
    if not os.path.exists(os.path.join(folder, "gt.json")):
        draw(folder, options.images)
    for kind in KINDS:
        rows = {name: [] for name in CONTESTANTS}
        for i in range(options.rounds):
            for name in CONTESTANTS[i % 3:] + CONTESTANTS[:i % 3]:
                rows[name].append(contest(name, folder, kind, options))
        check(rows, kind)
        table(rows, kind)


if __name__ == "__main__":
    main()
