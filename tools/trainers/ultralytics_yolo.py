#!/usr/bin/env python3
"""A trainer for `ptstrain collect`: fine-tunes an Ultralytics YOLO segmentation model.

    ptstrain collect --trainer "python3 ultralytics_yolo.py --model yolov8m-seg.pt" ...

The last argument is the job's folder; README.md beside this file describes it. A model named *.yaml
is built from its description with random weights, one named *.pt is pretrained.

--epochs passes over few images are few steps. --steps is the least number of batches: small sizes get more
epochs until they have it. --set gives any training setting of Ultralytics by its own name.
"""

import argparse
import ast
import json
import math
import pathlib
import shutil

import numpy


def setting(text):
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text!r}")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="yolov8m-seg.pt", help="pretrained start, .pt or .yaml")
    parser.add_argument("--epochs", type=int, default=5, help="the study's iters (5)")
    parser.add_argument("--steps", type=int, default=0, help="at least so many batches, by more epochs (0: no least)")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default=None, help="cpu, 0 ...; default: what Ultralytics finds")
    parser.add_argument("--conf", type=float, default=0.001, help="least score of a detection")
    parser.add_argument("--set", action="append", default=[], type=setting, metavar="KEY=VALUE", dest="settings",
                        help="a training setting of Ultralytics, such as lr0=0.002; may be repeated")
    parser.add_argument("job", type=pathlib.Path, help="the job's folder")
    return parser.parse_args()


def run_lengths(mask):
    """A boolean [h, w] mask in COCO's uncompressed runs: down the columns, the first one off."""
    flat = mask.ravel(order="F")
    changes = numpy.flatnonzero(numpy.diff(flat, prepend=False))
    return numpy.diff(changes, prepend=0, append=flat.size).tolist()


def detections(model, folder, truth, options):
    """COCO results of the model on the images of a ground truth file."""
    found = []
    for image in json.loads((folder / truth).read_text())["images"]:
        result = model.predict(folder / image["file_name"], imgsz=options.imgsz, conf=options.conf, max_det=100,
                               retina_masks=True, device=options.device, verbose=False)[0]
        if result.masks is None:
            continue
        masks = result.masks.data.cpu().numpy() > 0.5
        for mask, score in zip(masks, result.boxes.conf.cpu().tolist()):
            if mask.any():
                segmentation = {"size": [image["height"], image["width"]], "counts": run_lengths(mask)}
                found.append({"image_id": image["id"], "category_id": 1, "segmentation": segmentation,
                              "score": score})
    return found


def epochs(images, options):
    """More of them where few images make too few batches an epoch."""
    batches = math.ceil(images / options.batch)
    return max(options.epochs, math.ceil(options.steps / batches))


def train(folder, job, options):
    from ultralytics import YOLO

    start = pathlib.Path(job["start"]) / "model.pt" if job["start"] else options.model
    model = YOLO(start, task="segment")
    settings = {"data": str(folder / job["data"]), "epochs": epochs(job["train_images"], options),
                "imgsz": options.imgsz, "batch": options.batch, "workers": options.workers, "device": options.device,
                "seed": job["seed"] % 2**31, "deterministic": True, "plots": False, "amp": False}
    settings.update(options.settings)
    model.train(**settings, project=str(folder), name="run", exist_ok=True)
    weights = folder / "run" / "weights"
    best = weights / "best.pt" if (weights / "best.pt").exists() else weights / "last.pt"
    (folder / job["weights"]).mkdir()
    shutil.copyfile(best, folder / job["weights"] / "model.pt")
    return YOLO(folder / job["weights"] / "model.pt", task="segment")


def main():
    options = arguments()
    folder = options.job.resolve()
    job = json.loads((folder / "job.json").read_text())
    if job["version"] != 2:
        raise SystemExit(f"job.json: expected version 2, got {job['version']}")
    model = train(folder, job, options)
    for part in ("val", "test"):
        results = detections(model, folder, job["truth"][part], options)
        (folder / job["results"][part]).write_text(json.dumps(results))
        print(f"{part}: {len(results)} detections", flush=True)


if __name__ == "__main__":
    main()
