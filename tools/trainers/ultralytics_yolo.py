#!/usr/bin/env python3
"""A trainer for `ptstrain collect`: fine-tunes an Ultralytics YOLO segmentation model.

    ptstrain collect --trainer "python3 ultralytics_yolo.py --model yolov8m-seg.pt" ...

The last argument is the job's folder; README.md beside this file describes it. A model named *.yaml
is built from its description with random weights, one named *.pt is pretrained.
"""

import argparse
import json
import pathlib
import shutil

import numpy


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="yolov8m-seg.pt", help="pretrained start, .pt or .yaml")
    parser.add_argument("--epochs", type=int, default=5, help="the study's iters (5)")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default=None, help="cpu, 0 ...; default: what Ultralytics finds")
    parser.add_argument("--conf", type=float, default=0.001, help="least score of a detection")
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


def train(folder, job, options):
    from ultralytics import YOLO

    start = pathlib.Path(job["start"]) / "model.pt" if job["start"] else options.model
    model = YOLO(start, task="segment")
    model.train(data=str(folder / job["data"]), epochs=options.epochs, imgsz=options.imgsz, batch=options.batch,
                workers=options.workers, device=options.device, seed=job["seed"] % 2**31, deterministic=True,
                project=str(folder), name="run", exist_ok=True, plots=False, amp=False)
    weights = folder / "run" / "weights"
    best = weights / "best.pt" if (weights / "best.pt").exists() else weights / "last.pt"
    (folder / job["weights"]).mkdir()
    shutil.copyfile(best, folder / job["weights"] / "model.pt")
    return YOLO(folder / job["weights"] / "model.pt", task="segment")


def main():
    options = arguments()
    folder = options.job.resolve()
    job = json.loads((folder / "job.json").read_text())
    if job["version"] != 1:
        raise SystemExit(f"job.json: expected version 1, got {job['version']}")
    model = train(folder, job, options)
    for part in ("val", "test"):
        results = detections(model, folder, job["truth"][part], options)
        (folder / job["results"][part]).write_text(json.dumps(results))
        print(f"{part}: {len(results)} detections", flush=True)


if __name__ == "__main__":
    main()
