#!/usr/bin/env python3
"""Writes resample.txt (hashes and pixels of Pillow's resize) and presets.txt (what the presets give,
by Pillow, torchvision and torch), next to this file. Also photo.png, from ../photos/3.jpg."""
import pathlib
import random

import numpy as np
import torch
from PIL import Image
from torchvision import transforms as T

HERE = pathlib.Path(__file__).parent
FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
SMALL = 48  # outputs of at most so many pixels are stored whole


def source(kind, width, height):
    """The pictures: test_resample.c builds the same ones."""
    if kind == "photo":
        return Image.open(HERE / "photo.png").convert("RGB")
    y, x, c = np.meshgrid(np.arange(height, dtype=np.uint64), np.arange(width, dtype=np.uint64),
                          np.arange(3, dtype=np.uint64), indexing="ij")
    if kind == "ramp":  # smooth, with sudden edges where it wraps
        v = (x * 7 + y * 3 + c * 50) % 256
    elif kind == "check":  # black and white: the cubic overshoots on both sides
        v = ((x // 2 + y // 3 + c) % 2) * 255
    else:  # noise
        v = ((x * 73856093) ^ (y * 19349663) ^ (c * 83492791)) & 0xFFFFFFFF
        v = ((v * 2654435761) & 0xFFFFFFFF) >> 24
    return Image.fromarray(v.astype(np.uint8))


def fnv1a(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


PAIRS = [
    ((1, 1), (1, 1)), ((1, 1), (7, 5)), ((7, 5), (1, 1)), ((1, 9), (4, 3)), ((9, 1), (3, 4)),
    ((1, 40), (1, 6)), ((40, 1), (6, 1)), ((2, 2), (3, 3)), ((3, 3), (2, 2)), ((5, 4), (5, 4)),
    ((5, 4), (5, 9)), ((5, 4), (9, 4)), ((16, 16), (8, 8)), ((8, 8), (16, 16)), ((13, 11), (6, 5)),
    ((13, 11), (7, 6)), ((100, 3), (6, 7)), ((3, 100), (7, 6)), ((1, 300), (5, 2)), ((300, 1), (2, 5)),
    ((37, 41), (299, 299)), ((41, 37), (224, 224)), ((240, 240), (299, 299)), ((240, 180), (299, 299)),
    ((180, 240), (342, 456)), ((500, 333), (224, 224)), ((333, 500), (224, 224)),
    ((640, 480), (299, 299)), ((480, 640), (299, 299)), ((640, 480), (456, 342)),
    ((299, 299), (298, 298)), ((299, 299), (300, 300)), ((299, 299), (299, 150)),
    ((299, 299), (150, 299)), ((256, 256), (128, 127)), ((256, 256), (64, 200)), ((256, 256), (200, 64)),
    ((256, 256), (200, 200)), ((100, 400), (90, 390)), ((100, 400), (120, 100)), ((400, 100), (100, 120)),
    ((1154, 866), (299, 299)), ((866, 1154), (224, 224)), ((2000, 7), (19, 23)), ((7, 2000), (23, 19)),
    ((3, 1000), (1, 1000)), ((1000, 3), (1000, 1)), ((17, 19), (200, 3)), ((17, 19), (3, 200)),
]


def resample_cases():
    kinds = ["noise", "ramp", "check"]
    for i, (a, b) in enumerate(PAIRS):
        yield kinds[i % 3], a, b
    photo = source("photo", 0, 0).size
    for b in [(299, 299), (224, 224), (60, 60), (61, 200), (200, 61), (9, 5), (1, 1)]:
        yield "photo", photo, b


def write_resample():
    with open(HERE / "resample.txt", "w") as f:
        for kind, (w, h), size in resample_cases():
            for name, code in FILTERS.items():
                out = source(kind, w, h).resize(size, code).tobytes()
                f.write(f"{kind} {w} {h} {size[0]} {size[1]} {name} {fnv1a(out):016x} ")
                f.write((out.hex() if len(out) <= 3 * SMALL else "-") + "\n")


IMAGENET = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = T.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def preset(name, image, size):
    """[size][size][3], float32."""
    if name == "keras":
        return np.asarray(image.resize((size, size), Image.BILINEAR), np.float32) / np.float32(255)
    if name == "torchvision":
        steps = [T.Resize(size * 342 // 299), T.CenterCrop(size), T.ToTensor(), IMAGENET]
    elif name == "clip":
        steps = [T.Resize(size, T.InterpolationMode.BICUBIC), T.CenterCrop(size), T.ToTensor(), CLIP]
    else:
        steps = [T.Resize((224, 224)), T.ToTensor(), T.Normalize((0.5,) * 3, (0.5,) * 3)]
        if size != 224:
            steps += [lambda t: torch.nn.functional.interpolate(
                          t[None], size=(size, size), mode="bilinear", align_corners=False)[0],
                      T.CenterCrop(size), IMAGENET]
    return T.Compose(steps)(image).permute(1, 2, 0).numpy()


def preset_cases():
    pictures = [("photo", 0, 0), ("noise", 1, 1), ("noise", 37, 500), ("ramp", 400, 23),
                ("check", 224, 224), ("noise", 299, 299), ("ramp", 342, 343), ("noise", 601, 403),
                ("check", 403, 602)]
    for p in pictures:
        for name, size in [("keras", 299), ("torchvision", 299), ("clip", 224), ("ptssp", 299),
                           ("ptssp", 224)]:
            yield (name, size) + p
    yield "torchvision", 75, "photo", 0, 0
    yield "clip", 75, "ramp", 91, 200
    yield "ptssp", 331, "photo", 0, 0


def write_presets():
    rng = random.Random(43)
    with open(HERE / "presets.txt", "w") as f:
        for name, size, kind, w, h in preset_cases():
            image = source(kind, w, h)
            out = preset(name, image, size).ravel()
            f.write(f"{name} {size} {kind} {image.width} {image.height} {out.mean(dtype=np.float64):.9g}\n")
            for i in sorted(rng.sample(range(out.size), 64)):
                f.write(f"{i} {out[i]:.9g}\n")


Image.open(HERE / "../photos/3.jpg").crop((0, 100, 150, 210)).save(HERE / "photo.png", optimize=True)
write_resample()
write_presets()
