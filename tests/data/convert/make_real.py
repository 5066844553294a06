#!/usr/bin/env python3
"""What the real InceptionV3 must convert to, by numpy alone, from the unpacked npm package.
Usage: npm pack nsfwjs@4.4.0 && tar -xzf nsfwjs-4.4.0.tgz && python3 make_real.py package > real.txt

Independent of ptsconvert in the one thing that could go wrong unseen: the pairing of layers and
names. ptsconvert walks the graph; here convolution k, in the order of the numbers that Keras gave
when it created them, is the k-th unit of `inception.txt`, which is the order of torchvision's
modules (for this file the numbers happen to start at 1)."""
import base64
import json
import os
import re
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(sys.argv[1], "dist", "models", "inception_v3")


def load_model():
    text = open(os.path.join(FOLDER, "model.min.js")).read()
    text = text[text.index(".exports={") + 9 : text.rindex("},{}]},{},[1]")]
    text = re.sub(r"([{,])([A-Za-z_]\w*):", r'\1"\2":', text).replace("!0", "true").replace("!1", "false")
    return json.loads(re.sub(r"([:\[,]-?)\.(\d)", r"\g<1>0.\2", text))


def load_tensors(group):
    raw = b""
    for name in group["paths"]:
        script = open(os.path.join(FOLDER, name + ".min.js"), "rb").read()
        raw += base64.b64decode(re.search(rb'exports="([A-Za-z0-9+/=]+)"', script)[1], validate=True)
    tensors, at = {}, 0
    for w in group["weights"]:
        n, q = int(np.prod(w["shape"])), w["quantization"]
        values = np.frombuffer(raw, np.uint8, n, at).astype("f8") * q["scale"] + q["min"]
        tensors[w["name"]] = values.astype("<f4").reshape(w["shape"])
        at += n
    assert at == len(raw)
    return tensors


def main():
    t = load_tensors(load_model()["weightsManifest"][0])
    names = [line.split()[0] for line in open(os.path.join(HERE, "inception.txt")) if ".weight " in line]
    for k, name in enumerate((n[: -len(".weight")] for n in names), 1):
        norm = f"batch_normalization_{k}/"
        scale = 1 / np.sqrt(t[norm + "moving_variance"].astype("f8") + 0.001)
        weight = (t[f"conv2d_{k}/kernel"].astype("f8") * scale).astype("<f4")
        bias = (t[norm + "beta"].astype("f8") - t[norm + "moving_mean"].astype("f8") * scale).astype("<f4")
        for suffix, x in ((".weight", weight), (".bias", bias)):
            w = x.astype("f8")
            print(name + suffix, ",".join(map(str, x.shape)), f"{w.sum():.12g} {abs(w).sum():.12g}",
                  f"{x.flat[0]:.9g} {x.flat[-1]:.9g}")


main()
