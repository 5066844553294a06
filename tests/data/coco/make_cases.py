#!/usr/bin/env python3
"""Expected figures of random evaluations, for tests/test_coco_cases.c, which draws the same cases
from the same generator (splitmix64, whole numbers only), so that only figures are stored.

    python3 make_cases.py coco           1,000 cases: cases_coco.txt, by pycocotools
    python3 make_cases.py ultralytics    400 cases: cases_ultralytics-VERSION.txt, by the metric code
                                         of the ultralytics package that is installed

needs numpy, pycocotools; for the second torch and ultralytics.
"""
import contextlib
import io
import os
import sys

import numpy as np
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = os.path.dirname(os.path.abspath(__file__))
COCO_CASES, ULTRALYTICS_CASES = 1000, 400
WORD = 2**64 - 1


class Stream:
    """splitmix64 (Steele, Lea and Flood 2014)."""

    def __init__(self, seed):
        self.state = seed & WORD

    def below(self, count):
        self.state = (self.state + 0x9E3779B97F4A7C15) & WORD
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
        return ((z ^ (z >> 31)) >> 11) % count


def draw_shape(s, side):
    """kind, left, top, width, height in quarters of a pixel; one in twelve is empty."""
    kind = s.below(12)
    width, height = 1 + s.below(2 * side), 1 + s.below(2 * side)
    left, top = s.below(4 * side - width), s.below(4 * side - height)
    if kind == 11:
        width = height = 0
    return [kind, left, top, width, height]


def moved_shape(s, shape, side):
    """Up to `most` quarters away and wider or narrower; one in four stays as it is."""
    kind, left, top, width, height = shape
    most = [0, 3, 9, 33][s.below(4)]
    shift = [s.below(2 * most + 1) - most for _ in range(4)]
    left, top = (min(max(0, v), 4 * side) for v in (left + shift[0], top + shift[1]))
    width, height = max(0, width + shift[2]), max(0, height + shift[3])
    return [kind, left, top, min(width, 4 * side - left), min(height, 4 * side - top)]


def bitmap(shape, side):
    """A box, an ellipse (kind 4 … 7) or one with holes (8 … 10), by whole numbers: in eighths of a pixel,
    seen from the middle."""
    kind, left, top, width, height = shape
    y, x = np.mgrid[0:side, 0:side].astype(np.int64)
    u, v = 8 * x + 4 - 2 * left - width, 8 * y + 4 - 2 * top - height
    if kind < 4:
        on = (abs(u) < width) & (abs(v) < height)
    else:
        on = u * u * height * height + v * v * width * width < width * width * height * height
    if kind >= 8:
        on &= (x * 7 + y * 13) % 11 != 0
    return on.astype(np.uint8)


def area_of(s, true_area):
    """Of an annotation: the truth, something else, or a border of the ranges."""
    kind = s.below(8)
    return true_area if kind < 4 else [s.below(20000) / 2, 1024, 9216, 0][kind - 4]


def draw_case(number, distinct):
    """Images, categories, truths (image, category, shape, area, crowd), detections (image, category,
    shape, score). Scores tie often unless `distinct`."""
    s = Stream(number * 1000003 + 17)
    side = [24, 60, 130][s.below(3)]
    boxes = number % 2 == 1
    images = [(k * 37 + 11) % 101 + 1 for k in range(1 + s.below(5))]
    categories = [(k * 53 + 5) % 97 + 1 for k in range(1 + s.below(4))]
    crowded, levels = s.below(20) == 0, [3, 12, 4096][s.below(3)]
    truths, found = [], []
    for image in images:
        for category in categories:
            for _ in range(s.below(6) if s.below(3) else 0):
                shape = draw_shape(s, side)
                pixels = shape[3] * shape[4] / 16 if boxes else int(bitmap(shape, side).sum())
                area = area_of(s, pixels)
                truths.append((image, category, shape, area, int(s.below(6) == 0)))
    wanted = 110 + s.below(40) if crowded else s.below(40)
    for serial in range(wanted):
        source = truths[s.below(len(truths))] if truths and s.below(4) else None
        image = source[0] if source else images[s.below(len(images))]
        category = source[1] if source and s.below(8) else categories[s.below(len(categories))]
        if crowded and s.below(16):
            image, category = images[0], categories[0]
        shape = moved_shape(s, source[2], side) if source else draw_shape(s, side)
        score = (s.below(16384) * 1024 + serial) / 2**24 if distinct else (1 + s.below(levels)) / 4096
        found.append((image, category, shape, score))
    return boxes, side, images, categories, truths, found


def region(shape, side, boxes):
    if boxes:
        return dict(bbox=[v / 4 for v in shape[1:]])
    return dict(segmentation=mask_utils.encode(np.asfortranarray(bitmap(shape, side))))


def coco_of(images, categories, annotations, side):
    coco = COCO()
    coco.dataset = dict(images=[dict(id=i, height=side, width=side) for i in images],
                        categories=[dict(id=c, name=str(c)) for c in categories], annotations=annotations)
    coco.createIndex()
    return coco


def coco_figures(case):
    boxes, side, images, categories, truths, found = case
    wanted = [dict(id=i + 1, image_id=t[0], category_id=t[1], area=t[3], iscrowd=t[4], **region(t[2], side, boxes))
              for i, t in enumerate(truths)]
    results = [dict(image_id=f[0], category_id=f[1], score=f[3], **region(f[2], side, boxes)) for f in found]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_of(images, categories, wanted, side)
        # loadRes does not take an empty list
        answers = truth.loadRes(results) if results else coco_of(images, categories, [], side)
        run = COCOeval(truth, answers, "bbox" if boxes else "segm")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats


# ---- Ultralytics ----

def overlaps(metrics, torch, truths, found, case):
    """By the package's own mask_iou or box_iou."""
    boxes, side = case[:2]
    if boxes:
        corners = [torch.tensor([[s[1], s[2], s[1] + s[3], s[2] + s[4]] for s in shapes], dtype=torch.float32) / 4
                   for shapes in ([t[2] for t in truths], [f[2] for f in found])]
        return metrics.box_iou(*corners)
    masks = [torch.from_numpy(np.stack([bitmap(s, side).flatten() for s in shapes])).float()
             for shapes in ([t[2] for t in truths], [f[2] for f in found])]
    return metrics.mask_iou(*masks)


def ultralytics_figures(case):
    """What a validator does with the predictions that non-maximum suppression left."""
    import types

    import torch
    from ultralytics.engine.validator import BaseValidator
    from ultralytics.utils import metrics
    levels = torch.linspace(0.5, 0.95, 10)
    me = types.SimpleNamespace(iouv=levels)
    right, scores, classes, target = [], [], [], []
    for image in sorted(case[2]):
        truths = [t for t in case[4] if t[0] == image and not t[4]]
        found = sorted((f for f in case[5] if f[0] == image and f[3] > 0.001), key=lambda f: -f[3])[:300]
        target += [t[1] for t in truths]
        scores += [f[3] for f in found]
        classes += [f[1] for f in found]
        if truths and found:
            right.append(BaseValidator.match_predictions(
                me, torch.tensor([f[1] for f in found]), torch.tensor([t[1] for t in truths]),
                overlaps(metrics, torch, truths, found, case)).numpy())
        else:
            right.append(np.zeros((len(found), 10), bool))
    if not target:
        return [-1, -1, -1]
    results = metrics.ap_per_class(np.concatenate(right), np.array(scores, np.float32), np.array(classes),
                                   np.array(target), names={})
    metric = metrics.Metric()
    metric.update(results[2:])
    return [metric.map, metric.map50, metric.map75]


def write(name, count, first, distinct, figures):
    with open(os.path.join(HERE, name), "w") as out:
        for number in range(first, first + count):
            print(*(f"{v:.12f}".rstrip("0").rstrip(".") for v in figures(draw_case(number, distinct))), file=out)


def main():
    if sys.argv[1:] == ["coco"]:
        write("cases_coco.txt", COCO_CASES, 0, False, coco_figures)
    elif sys.argv[1:] == ["ultralytics"]:
        import ultralytics
        write(f"cases_ultralytics-{ultralytics.__version__}.txt", ULTRALYTICS_CASES, COCO_CASES, True,
              ultralytics_figures)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
