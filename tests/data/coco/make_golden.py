#!/usr/bin/env python3
"""Golden data of the metrics: masks.txt, ious.txt and problems.txt, beside this script.

Masks, overlaps and COCO figures are pycocotools' own; Ultralytics' AP is written down again here
with numpy and torch from its definition. Run: python3 make_golden.py
(made with pycocotools 2.0.11, numpy 2.4.6, torch 2.13.0; seed 20).
"""
import contextlib
import io
import os

import numpy as np
import torch
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20)


def counts_of(rle):
    """Run lengths of pycocotools' bitmap, taken from the pixels and not from its string."""
    flat = mask_utils.decode(rle).flatten(order="F")
    counts, value, length = [], 0, 0
    for pixel in flat:
        if pixel != value:
            counts.append(length)
            value, length = pixel, 0
        length += 1
    return counts + [length]


def random_polygon(h, w):
    points = int(rng.integers(3, 12))
    kind = rng.integers(0, 4)
    centre = rng.uniform(-0.1, 1.1, 2) * (w, h)
    if kind == 0:  # star-shaped, may leave the image
        angles = np.sort(rng.uniform(0, 2 * np.pi, points))
        radius = rng.uniform(0.05, 0.6) * max(h, w) * rng.uniform(0.4, 1, points)
        xy = centre + np.stack([np.cos(angles), np.sin(angles)], 1) * radius[:, None]
    elif kind == 1:  # anything, crossing itself
        xy = rng.uniform(-0.2, 1.2, (points, 2)) * (w, h)
    elif kind == 2:  # whole and half pixels, with points twice and upright edges
        xy = rng.integers(-4, 2 * max(h, w) + 4, (points, 2)) / 2
        xy[rng.integers(1, points)] = xy[0]
        xy[-1, 0] = xy[-2, 0]
    else:  # smaller than a pixel or two
        xy = centre + rng.uniform(-2, 2, (points, 2))
    return np.round(xy, int(rng.integers(1, 4)))


def write_masks(path):
    with open(path, "w") as out:
        for _ in range(300):
            h, w = (int(v) for v in rng.integers(1, 70, 2))
            xy = random_polygon(h, w)
            rle = mask_utils.frPyObjects([xy.flatten().tolist()], h, w)[0]
            counts, box = counts_of(rle), mask_utils.toBbox(rle)
            print(h, w, len(xy), *(repr(float(v)) for v in xy.flatten()), file=out)
            print(len(counts), *counts, rle["counts"].decode(), int(mask_utils.area(rle)),
                  *(int(v) for v in box), file=out)


def write_ious(path):
    """Groups of masks with their union, intersection and overlaps, plain and with crowds."""
    with open(path, "w") as out:
        for _ in range(12):
            h, w = (int(v) for v in rng.integers(5, 60, 2))
            masks = [mask_utils.merge(mask_utils.frPyObjects(
                [random_polygon(h, w).flatten().tolist() for _ in range(rng.integers(1, 4))], h, w))
                for _ in range(7)]
            truths, found = masks[:3], masks[3:]
            crowd = [int(v) for v in rng.integers(0, 2, len(truths))]
            iou = mask_utils.iou(found, truths, crowd)
            print(h, w, *(m["counts"].decode() for m in masks), file=out)
            print(mask_utils.merge(masks)["counts"].decode(),
                  mask_utils.merge(masks[:2], intersect=True)["counts"].decode(), file=out)
            print(*crowd, *(repr(float(v)) for v in iou.flatten()), file=out)


# ---- whole evaluations ----

def random_mask(h, w, near=None):
    if near is not None:  # the same mask, shifted a little
        bitmap = np.roll(mask_utils.decode(near), rng.integers(-4, 5, 2), (0, 1))
        return mask_utils.encode(np.asfortranarray(bitmap))
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    radius = rng.choice([8, 25, 70]) * rng.uniform(0.6, 1, 9)
    xy = rng.uniform(0.1, 0.9, 2) * (w, h) + np.stack([np.cos(angles), np.sin(angles)], 1) * \
        radius[:, None]
    return mask_utils.frPyObjects([np.round(xy, 2).flatten().tolist()], h, w)[0]


def random_box(w, h, near=None):
    if near is not None:
        moved = np.array(near) + rng.uniform(-4, 4, 4)
        return [round(float(v), 2) for v in np.maximum(moved, (0, 0, 1, 1))]
    size = rng.choice([20, 60, 140]) * rng.uniform(0.5, 1, 2)
    corner = rng.uniform(0, 0.7, 2) * (w, h)
    return [round(float(v), 2) for v in (*corner, *size)]


def random_problem(kind, number):
    """Images with other ids than their order, some empty; a category without any truth."""
    h, w = 150, 170
    many = number == 0
    images = [int(v) for v in rng.permutation(50)[:2 if many else 6] + 1]
    categories = [int(v) for v in rng.permutation(90)[:1 if many else 4] + 1]
    ties = number % 2 == 1
    truths, found = [], []
    for image in images[:-1]:
        for category in categories[:max(1, len(categories) - 1)]:
            for _ in range(int(rng.integers(0, 5)) + 8 * many):
                mask, box = random_mask(h, w), random_box(w, h)
                area = float(mask_utils.area(mask)) if kind == "segm" else box[2] * box[3]
                truths.append(dict(id=len(truths) + 1, image_id=image, category_id=category,
                                   segmentation=mask, bbox=box, iscrowd=int(rng.random() < 0.15),
                                   area=round(area * float(rng.uniform(0.9, 1.1)), 2)))
    wanted = (330 if kind == "bbox" else 120) if many else int(rng.integers(20, 70))
    for _ in range(wanted):
        near = truths[rng.integers(len(truths))] if rng.random() < 0.7 else None
        image = near["image_id"] if near else int(rng.choice(images))
        if many and not near:
            image = images[0]
        category = near["category_id"] if near and rng.random() < 0.95 else int(
            rng.choice(categories))
        score = float(rng.integers(1, 8)) / 8 if ties else round(float(rng.random()), 6)
        one = dict(image_id=image, category_id=category, score=score)
        if kind == "segm":
            one["segmentation"] = random_mask(h, w, near["segmentation"] if near else None)
        else:
            one["bbox"] = random_box(w, h, near["bbox"] if near else None)
        found.append(one)
    return dict(images=[dict(id=i, height=h, width=w) for i in images],
                categories=[dict(id=c, name=f"c{c}") for c in categories], annotations=truths), found


def coco_figures(dataset, found, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes([dict(f) for f in found]), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    per_category = []
    for k in range(len(run.params.catIds)):
        precision = run.eval["precision"][:, :, k, 0, -1]
        precision = precision[precision > -1]
        per_category.append(float(np.mean(precision)) if precision.size else -1.0)
    return [float(v) for v in run.stats], per_category


# ---- Ultralytics' definition ----

def overlaps(truths, found, kind):
    """[truths, detections], single precision."""
    if kind == "segm":
        a = torch.stack([torch.from_numpy(mask_utils.decode(t["segmentation"])).float().flatten()
                         for t in truths])
        b = torch.stack([torch.from_numpy(mask_utils.decode(f["segmentation"])).float().flatten()
                         for f in found])
        common = a @ b.T
        return common / ((a.sum(1)[:, None] + b.sum(1)[None]) - common + 1e-7)
    corners = lambda items: torch.tensor([[x, y, x + w, y + h] for x, y, w, h in
                                          (i["bbox"] for i in items)], dtype=torch.float32)
    a, b = corners(truths), corners(found)
    a1, a2, b1, b2 = a[:, None, :2], a[:, None, 2:], b[None, :, :2], b[None, :, 2:]
    common = (torch.min(a2, b2) - torch.max(a1, b1)).clamp(0).prod(2)
    return common / ((a2 - a1).prod(2) + (b2 - b1).prod(2) - common + 1e-7)


def match(truths, found, kind, levels):
    right = np.zeros((len(found), len(levels)), bool)
    if not truths or not found:
        return right
    same = torch.tensor([[t["category_id"] == f["category_id"] for f in found] for t in truths])
    iou = (overlaps(truths, found, kind) * same).numpy()
    for i, level in enumerate(levels.tolist()):
        pairs = np.array(np.nonzero(iou >= level)).T
        if len(pairs) == 0:
            continue
        pairs = pairs[iou[pairs[:, 0], pairs[:, 1]].argsort(kind="stable")[::-1]]
        pairs = pairs[np.unique(pairs[:, 1], return_index=True)[1]]
        pairs = pairs[np.unique(pairs[:, 0], return_index=True)[1]]
        right[pairs[:, 1], i] = True
    return right


def curve_area(recall, precision):
    recall = np.concatenate(([0.0], recall, [1.0]))
    precision = np.concatenate(([1.0], precision, [0.0]))
    precision = np.flip(np.maximum.accumulate(np.flip(precision)))
    x = np.linspace(0, 1, 101)
    return np.trapezoid(np.interp(x, recall, precision), x)


def ultralytics_figures(dataset, found, kind):
    levels = torch.linspace(0.5, 0.95, 10)
    truths = [t for t in dataset["annotations"] if not t["iscrowd"]]
    right, scores, classes = [np.zeros((0, 10), bool)], [], []
    for image in sorted(i["id"] for i in dataset["images"]):
        mine = [f for f in found if f["image_id"] == image and f["score"] > 0.001]
        mine = sorted(mine, key=lambda f: -f["score"])[:300]
        right.append(match([t for t in truths if t["image_id"] == image], mine, kind, levels))
        scores += [f["score"] for f in mine]
        classes += [f["category_id"] for f in mine]
    order = np.argsort(-np.array(scores), kind="stable")
    right, classes = np.concatenate(right)[order], np.array(classes)[order]
    wanted = np.array([t["category_id"] for t in truths])
    names = np.unique(wanted)
    ap = np.zeros((len(names), 10))
    for row, name in enumerate(names):
        mine, total = classes == name, (wanted == name).sum()
        if not mine.any():
            continue
        hits, misses = right[mine].cumsum(0), (1 - right[mine]).cumsum(0)
        for t in range(10):
            ap[row, t] = curve_area(hits[:, t] / (total + 1e-16),
                                    hits[:, t] / (hits[:, t] + misses[:, t]))
    return [float(ap.mean()), float(ap[:, 0].mean()), float(ap[:, 5].mean())]


def region(item, kind):
    if kind == "segm":
        return [item["segmentation"]["counts"].decode()]
    return [repr(v) for v in item["bbox"]]


def write_problems(path):
    with open(path, "w") as out:
        for kind in ("segm", "bbox"):
            for number in range(10):
                dataset, found = random_problem(kind, number)
                figures, per_category = coco_figures(dataset, found, kind)
                print(kind, *(len(dataset[k]) for k in ("images", "categories", "annotations")),
                      len(found), file=out)
                print(*(i["id"] for i in dataset["images"]), file=out)
                print(*(c["id"] for c in dataset["categories"]), file=out)
                for t in dataset["annotations"]:
                    print(t["image_id"], t["category_id"], repr(t["area"]), t["iscrowd"],
                          *region(t, kind), file=out)
                for f in found:
                    print(f["image_id"], f["category_id"], repr(f["score"]), *region(f, kind),
                          file=out)
                print(*(repr(v) for v in figures), file=out)
                print(*(repr(v) for v in per_category), file=out)
                print(*(repr(v) for v in ultralytics_figures(dataset, found, kind)), file=out)


if __name__ == "__main__":
    write_masks(os.path.join(HERE, "masks.txt"))
    write_ious(os.path.join(HERE, "ious.txt"))
    write_problems(os.path.join(HERE, "problems.txt"))
