#!/usr/bin/env python3
"""golden.txt: what transformers' CLIPImageProcessor (both of its backends) and open_clip's transform
make of ten photographs. Needs torch, torchvision, transformers, open_clip_torch, pillow, numpy.

    python3 make_golden.py             # writes beside this script
"""
import pathlib
import random

import numpy as np
from PIL import Image
from open_clip.transform import image_transform
from transformers import CLIPImageProcessor, CLIPImageProcessorPil

HERE = pathlib.Path(__file__).parent
OTHERS = ["inception/photo1", "inception/photo2", "resample/photo"]
SIZES = [224, 64]  # 64: every photograph is made smaller
SAMPLES = 16
MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])


def fnv1a(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def hugging_face(kind, image, size):
    processor = kind(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    return np.asarray(processor(image, return_tensors="np")["pixel_values"][0])


def open_clip(image, size):
    return image_transform(size, is_train=False)(image).numpy()


def main():
    photos = sorted(p.stem for p in HERE.glob("*.png"))
    paths = [f"clip_photos/{p}" for p in photos] + OTHERS
    rng = random.Random(44)
    with open(HERE / "golden.txt", "w") as file:
        for path in paths:
            image = Image.open(HERE.parent / f"{path}.png").convert("RGB")
            for size in SIZES:
                made = {"transformers": hugging_face(CLIPImageProcessor, image, size),
                        "transformers_pil": hugging_face(CLIPImageProcessorPil, image, size),
                        "open_clip": open_clip(image, size)}
                at = sorted(rng.sample(range(size * size * 3), SAMPLES))
                for other in "transformers", "open_clip":
                    apart = np.abs(made[other] - made["transformers_pil"])
                    apart = apart * STD[:, None, None] * 255
                    print(f"{path} {size}: {other} at most {apart.max():.4f} of an 8-bit step from "
                          f"transformers_pil, mean {apart.mean():.5f}")
                for name, x in made.items():
                    x = x.transpose(1, 2, 0).astype(np.float64)
                    pixels = np.rint((x * STD + MEAN) * 255).astype(np.uint8)
                    file.write(f"{path}.png {size} {name} {fnv1a(pixels.tobytes()):016x} "
                               f"{pixels.sum(dtype=np.int64)}\n")
                    for i in at:
                        file.write(f"{i} {x.ravel()[i]:.9g}\n")


main()
