#!/usr/bin/env python3
"""Synthetic TensorFlow.js models and what they must convert to, by numpy alone.
Usage: python3 make_models.py   (writes beside itself; seed 11)

mixed/           model.json, three binary shards that cut through tensors; every storage
mixed_packed/    the same model as the nsfwjs package has it: JavaScript literals, base64 shards
mixed.bin        the values as float32, in manifest order
inception.json   a Keras InceptionV3 (topology and manifest); its shard of 21.8 MB is not stored: byte
                 i of it is (i·2654435761 mod 2^32) >> 24, which the test writes itself
inception.txt    name, shape, sum, sum of magnitudes, first and last value of each folded tensor
"""
import base64
import json
import os
import random

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(11)


def path(*parts):
    full = os.path.join(HERE, *parts)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    return full


def write(data, *parts):
    with open(path(*parts), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


# ---- every storage ----


def quantize(x, dtype):
    """As tfjs-converter's quantization.py: affine over the range of the tensor."""
    low, high = float(x.min()), float(x.max())
    scale = (high - low) / np.iinfo(dtype).max
    return np.round((x - low) / scale).astype(dtype), scale, low


def mixed():
    weights, raw, values = [], b"", []

    def add(name, x, dtype="float32", quantization=None, stored=None):
        nonlocal raw
        spec = {"name": name, "shape": list(x.shape), "dtype": dtype}
        if quantization:
            spec["quantization"] = quantization
        weights.append(spec)
        raw += (x if stored is None else stored).tobytes()

    def add_affine(name, x, dtype):
        q, scale, low = quantize(x, dtype)
        add(name, x, "float32", {"dtype": dtype, "scale": scale, "min": low}, q)
        values.append((q.astype("f8") * scale + low).astype("<f4"))

    x = rng.normal(size=(2, 3)).astype("<f4")
    add("dense/kernel", x)
    values.append(x)
    add_affine("a/u8", rng.normal(size=(3, 3, 4, 5)), "uint8")
    add_affine("a/u16", rng.normal(size=(41,)) * 100, "uint16")
    half = rng.normal(size=(7,)).astype("<f2")
    half[:3] = [65504, 6e-8, -0.0]
    add("b/f16", half, "float32", {"dtype": "float16"})
    values.append(half.astype("<f4"))
    x = np.array(-1.5, "<f4")
    add("b/scalar", x)
    values.append(x)
    add("step", np.array([3, -4], "<i4"), "int32")

    model = {
        "format": "layers-model",
        "modelTopology": {"class_name": "Model", "config": {
            "name": "mixed", "trainable": False, "rate": 0.99, "tiny": 8.5e-7, "none": None,
            "layers": [{"name": "dense", "class_name": "Dense", "inbound_nodes": [], "config": {}}],
            "output_layers": [["dense", 0, 0]]}},
        "weightsManifest": [{"paths": ["s1", "s2", "s3"], "weights": weights}],
    }
    cuts = [0, 30, 219, len(raw)]
    shards = [raw[a:b] for a, b in zip(cuts, cuts[1:])]
    write(b"".join(v.astype("<f4").tobytes() for v in values), "mixed.bin")
    write(json.dumps(model, indent=1), "mixed", "model.json")
    for i, shard in enumerate(shards, 1):
        write(shard, "mixed", f"s{i}")
    bundle = ('!function(e){"object"==typeof exports&&"undefined"!=typeof module?module.exports=e():'
              'window.m=e()}(function(){return{1:[function(n,m,r){m.exports=%s},{}]}});\n')
    write(bundle % minify(model), "mixed_packed", "model.min.js")
    for i, shard in enumerate(shards, 1):
        write(bundle % ('"' + base64.b64encode(shard).decode() + '"'), "mixed_packed", f"s{i}.min.js")
    write(json.dumps({"name": "synthetic", "version": "1.2.3", "license": "CC0-1.0"}),
          "mixed_packed", "package.json")


def minify(value):
    """What a JavaScript minifier makes of JSON."""
    if isinstance(value, dict):
        return "{%s}" % ",".join(
            (k if k.isidentifier() else json.dumps(k)) + ":" + minify(v) for k, v in value.items())
    if isinstance(value, list):
        return "[%s]" % ",".join(map(minify, value))
    if value is True or value is False:
        return "!0" if value else "!1"
    text = json.dumps(value)
    if isinstance(value, float):
        text = text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
    return text


# ---- InceptionV3, built forwards, the way keras-applications writes it ----


class Graph:
    """Layers are numbered from 95 on, as in a process that built another InceptionV3 before."""

    def __init__(self):
        self.layers, self.weights, self.units, self.channels, self.number = [], [], [], {}, 94

    def layer(self, kind, name, config, inputs):
        self.layers.append({"name": name, "class_name": kind, "config": config,
                            "inbound_nodes": [[[i, 0, 0, {}] for i in inputs]] if inputs else []})
        return name

    def conv(self, x, out, kh, kw, name, stride=1, padding="same"):
        self.number += 1
        n, cin = self.number, self.channels[x]
        conv = self.layer("Conv2D", f"conv2d_{n}", {
            "filters": out, "kernel_size": [kh, kw], "strides": [stride, stride], "padding": padding,
            "data_format": "channels_last", "dilation_rate": [1, 1], "activation": "linear",
            "use_bias": False}, [x])
        norm = self.layer("BatchNormalization", f"batch_normalization_{n}", {
            "axis": 3, "epsilon": 0.001, "center": True, "scale": n % 5 == 0}, [conv])
        relu = self.layer("Activation", f"activation_{n}", {"activation": "relu"}, [norm])
        self.channels[relu] = out
        self.units.append((name, conv, norm, (kh, kw, cin, out), n % 5 == 0))
        return relu

    def pool(self, x, kind, stride, padding):
        name = self.layer(kind, f"pool_{len(self.layers)}", {
            "pool_size": [3, 3], "strides": [stride, stride], "padding": padding,
            "data_format": "channels_last"}, [x])
        self.channels[name] = self.channels[x]
        return name

    def concat(self, inputs):
        name = self.layer("Concatenate", f"concat_{len(self.layers)}", {"axis": 3}, inputs)
        self.channels[name] = sum(self.channels[i] for i in inputs)
        return name


def inception():
    g = Graph()
    x = g.layer("InputLayer", "input_7", {"batch_input_shape": [None, 299, 299, 3]}, [])
    g.channels[x] = 3
    x = g.conv(x, 32, 3, 3, "Conv2d_1a_3x3", 2, "valid")
    x = g.conv(x, 32, 3, 3, "Conv2d_2a_3x3", 1, "valid")
    x = g.conv(x, 64, 3, 3, "Conv2d_2b_3x3")
    x = g.pool(x, "MaxPooling2D", 2, "valid")
    x = g.conv(x, 80, 1, 1, "Conv2d_3b_1x1", 1, "valid")
    x = g.conv(x, 192, 3, 3, "Conv2d_4a_3x3", 1, "valid")
    x = g.pool(x, "MaxPooling2D", 2, "valid")

    def chain(x, block, steps):
        for name, out, kh, kw in steps:
            x = g.conv(x, out, kh, kw, f"{block}.{name}")
        return x

    def pooled(x, block, out):
        return g.conv(g.pool(x, "AveragePooling2D", 1, "same"), out, 1, 1, block + ".branch_pool")

    for block, out in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        x = g.concat([
            chain(x, block, [("branch1x1", 64, 1, 1)]),
            chain(x, block, [("branch5x5_1", 48, 1, 1), ("branch5x5_2", 64, 5, 5)]),
            chain(x, block, [("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 3),
                             ("branch3x3dbl_3", 96, 3, 3)]),
            pooled(x, block, out)])
    down = g.conv(x, 384, 3, 3, "Mixed_6a.branch3x3", 2, "valid")
    double = chain(x, "Mixed_6a", [("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 3)])
    double = g.conv(double, 96, 3, 3, "Mixed_6a.branch3x3dbl_3", 2, "valid")
    x = g.concat([down, double, g.pool(x, "MaxPooling2D", 2, "valid")])
    for block, c in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        x = g.concat([
            chain(x, block, [("branch1x1", 192, 1, 1)]),
            chain(x, block, [("branch7x7_1", c, 1, 1), ("branch7x7_2", c, 1, 7),
                             ("branch7x7_3", 192, 7, 1)]),
            chain(x, block, [("branch7x7dbl_1", c, 1, 1), ("branch7x7dbl_2", c, 7, 1),
                             ("branch7x7dbl_3", c, 1, 7), ("branch7x7dbl_4", c, 7, 1),
                             ("branch7x7dbl_5", 192, 1, 7)]),
            pooled(x, block, 192)])
    down = chain(x, "Mixed_7a", [("branch3x3_1", 192, 1, 1)])
    down = g.conv(down, 320, 3, 3, "Mixed_7a.branch3x3_2", 2, "valid")
    seven = chain(x, "Mixed_7a", [("branch7x7x3_1", 192, 1, 1), ("branch7x7x3_2", 192, 1, 7),
                                  ("branch7x7x3_3", 192, 7, 1)])
    seven = g.conv(seven, 192, 3, 3, "Mixed_7a.branch7x7x3_4", 2, "valid")
    x = g.concat([down, seven, g.pool(x, "MaxPooling2D", 2, "valid")])
    for block in ("Mixed_7b", "Mixed_7c"):
        one = chain(x, block, [("branch1x1", 320, 1, 1)])
        three = chain(x, block, [("branch3x3_1", 384, 1, 1)])
        three = g.concat([g.conv(three, 384, 1, 3, block + ".branch3x3_2a"),
                          g.conv(three, 384, 3, 1, block + ".branch3x3_2b")])
        double = chain(x, block, [("branch3x3dbl_1", 448, 1, 1), ("branch3x3dbl_2", 384, 3, 3)])
        double = g.concat([g.conv(double, 384, 1, 3, block + ".branch3x3dbl_3a"),
                           g.conv(double, 384, 3, 1, block + ".branch3x3dbl_3b")])
        x = g.concat([one, three, double, pooled(x, block, 192)])
    x = g.layer("GlobalAveragePooling2D", "avg_pool", {}, [x])
    g.layer("Dense", "predictions", {"units": 5}, [x])
    return g


def write_inception():
    g = inception()
    specs, tensors, at = [], {}, 0
    order = random.Random(11)
    units = g.units[:]
    order.shuffle(units)

    def add(name, shape, scale, low):
        nonlocal at
        n = int(np.prod(shape))
        i = np.arange(at, at + n, dtype=np.uint64)
        q = (i * 2654435761 % 2**32 >> 24).astype(np.uint8)
        specs.append({"name": name, "shape": list(shape), "dtype": "float32",
                      "quantization": {"dtype": "uint8", "scale": scale, "min": low}})
        tensors[name] = (q.astype("f8") * scale + low).astype("<f4").reshape(shape)
        at += n

    for k, (_, conv, norm, shape, gamma) in enumerate(units):
        add(conv + "/kernel", shape, 0.001 + 0.00001 * k, -0.13)
        if gamma:
            add(norm + "/gamma", shape[3:], 0.003, 0.5)
        add(norm + "/beta", shape[3:], 0.01, -1.25)
        add(norm + "/moving_mean", shape[3:], 0.008, -1.0)
        add(norm + "/moving_variance", shape[3:], 0.002, 0.0001)
    add("predictions/kernel", (2048, 5), 0.001, 0)
    add("predictions/bias", (5,), 0.001, 0)
    layers = g.layers[:]
    order.shuffle(layers)
    model = {"modelTopology": {"keras_version": "2.2.4", "model_config": {"class_name": "Model", "config": {
                 "layers": layers, "output_layers": [["predictions", 0, 0]]}}},
             "weightsManifest": [{"paths": ["shard.bin"], "weights": specs}]}
    write(json.dumps(model, separators=(",", ":")) + "\n", "inception.json")

    lines = [f"bytes {at}"]
    for name, conv, norm, shape, gamma in g.units:
        f8 = lambda part: tensors[norm + "/" + part].astype("f8")
        k = (f8("gamma") if gamma else 1) / np.sqrt(f8("moving_variance") + 0.001)
        weight = (tensors[conv + "/kernel"].astype("f8") * k).astype("<f4")
        bias = (f8("beta") - f8("moving_mean") * k).astype("<f4")
        for suffix, x in ((".weight", weight), (".bias", bias)):
            w = x.astype("f8")
            lines.append(f"{name}{suffix} {','.join(map(str, x.shape))} {w.sum():.12g} {abs(w).sum():.12g} "
                         f"{x.flat[0]:.9g} {x.flat[-1]:.9g}")
    write("\n".join(lines) + "\n", "inception.txt")


mixed()
write_inception()
