#!/usr/bin/env python3
"""Writes the COCO files of this folder: the objects of ../yolo-mini in every form that COCO knows, masks
by pycocotools, and counts of ../coco/instances_val2014_100.json. See README.md."""
import json
import pathlib

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

HERE = pathlib.Path(__file__).resolve().parent
YOLO = HERE.parent / "yolo-mini"
SIDE = 240
CATEGORIES = {0: 3, 1: 7, 2: 20, 3: 90}  # sparse, as COCO's are
NAMES = ["Five", "One", "Ten", "Two"]


def polygon(words):
    """Pixels as a reader of float32 coordinates sees them; the products are exact."""
    return [float(np.float32(w)) * SIDE for w in words]


def images():
    paths = sorted(YOLO.glob("*/images/*.jpg"))
    for number, path in enumerate(paths):
        labels = path.parent.parent / "labels" / (path.stem + ".txt")
        lines = [line.split() for line in labels.read_text().splitlines()]
        yield 100 + 7 * number, path, [(int(l[0]), polygon(l[1:])) for l in lines]


def runs_of(polygons):
    return coco_mask.merge(coco_mask.frPyObjects(polygons, SIDE, SIDE))


def compressed(polygons):
    return {"size": [SIDE, SIDE], "counts": runs_of(polygons)["counts"].decode()}


def counted(polygons):
    flat = coco_mask.decode(runs_of(polygons)).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return {"size": [SIDE, SIDE], "counts": ([0] if flat[0] else []) + counts}


def write(name, form, grouped, crowd):
    """grouped: all objects of a class on an image as one annotation; crowd: those of class One are."""
    out = {"images": [], "annotations": [], "categories": [
        {"id": CATEGORIES[c], "name": NAMES[c], "supercategory": "coin"} for c in (3, 1, 0, 2)]}
    for number, path, objects in images():
        out["images"].append({"id": number, "file_name": path.name, "width": SIDE, "height": SIDE})
        if grouped:
            classes = sorted({c for c, _ in objects})
            objects = [(c, [p for k, p in objects if k == c]) for c in classes]
        else:
            objects = [(c, [p]) for c, p in objects]
        for c, polygons in objects:
            out["annotations"].append({
                "id": 1000 + len(out["annotations"]), "image_id": number, "category_id": CATEGORIES[c],
                "iscrowd": int(crowd and c == 1), "segmentation": form(polygons)})
    (HERE / name).write_text(json.dumps(out, separators=(",", ":")) + "\n")


def count_val2014():
    """class, images with an object that is no crowd, annotations, crowds, pixels of all masks"""
    coco = COCO(HERE.parent / "coco" / "instances_val2014_100.json")
    rows = []
    for number, category in enumerate(sorted(coco.getCatIds())):
        found = coco.loadAnns(coco.getAnnIds(catIds=[category]))
        shown = {a["image_id"] for a in found if not a["iscrowd"]}
        pixels = sum(int(coco_mask.area(coco.annToRLE(a))) for a in found)
        rows.append(f"{number} {len(shown)} {len(found)} {sum(a['iscrowd'] for a in found)} {pixels}\n")
    (HERE / "val2014_100.txt").write_text("".join(rows))


write("polygons.json", lambda p: p, False, False)
write("counts.json", counted, False, False)
write("compressed.json", compressed, False, False)
write("parts.json", lambda p: p, True, True)
write("parts_compressed.json", compressed, True, True)
count_val2014()
