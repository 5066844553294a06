#!/usr/bin/env python3
"""Golden files of the .ptsw format, written independently of the C code: from the byte map at the
head of src/weights/ptsw.h, with numpy. Usage: python3 make_golden.py   (writes beside itself)"""
import os
import struct

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
M64 = (1 << 64) - 1
P1, P2 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F


def rotate(x, n):
    return (x << n | x >> (64 - n)) & M64


def checksum(data):
    lanes = [P2 * (i + 1) & M64 for i in range(8)]
    for at in range(0, len(data), 64):
        words = struct.unpack("<8Q", data[at : at + 64])
        lanes = [rotate(l ^ w, 29) * P1 & M64 for l, w in zip(lanes, words)]
    h = P1
    for lane in lanes:
        h = rotate(h ^ lane, 31) * P2 & M64
    h = (h ^ h >> 33) * P1 & M64
    h = (h ^ h >> 29) * P2 & M64
    return h ^ h >> 32


def pad(data):
    return data + bytes(-len(data) % 64)


def ptsw(meta, tensors):
    strings = b""
    for key, value in meta:
        key, value = key.encode(), value.encode()
        strings += struct.pack("<II", len(key), len(value)) + key + b"\0" + value + b"\0"
    table_at = 64 + len(pad(strings))
    data_at = at = table_at + 128 * len(tensors)
    table = data = b""
    for name, array in tensors:
        raw = array.tobytes()
        shape = list(array.shape) + [1] * (4 - array.ndim)
        table += name.encode().ljust(72, b"\0")
        table += struct.pack("<II4QQQ", {"f4": 0, "f2": 1}[array.dtype.str[1:]], array.ndim, *shape, at, len(raw))
        data += pad(raw)
        at = data_at + len(data)

    def whole(total):
        head = b"PTSW\r\n\x1a\n" + struct.pack(
            "<IIQIIQQQQ", 1, 64, at, len(meta), len(tensors), len(strings), table_at, data_at, total)
        return head + pad(strings) + table + data

    return whole(checksum(whole(0)))


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(data)


def main():
    write("demo.ptsw", ptsw([("arch", "demo")], [("w", np.array([1, -2], "<f4"))]))
    write("small.ptsw", ptsw(
        [("arch", "demo"), ("note", "x")],
        [("a", np.arange(6, dtype="<f4").reshape(2, 3)), ("b", np.array([0.5, 1, 2, 3, 65504], "<f2"))]))

    # binary32 → binary16 by numpy: edges, halfway cases, then random bit patterns.
    rng = np.random.default_rng(7)
    halves = np.arange(0, 0x7C00, 61, dtype="<u2").view("<f2").astype("<f4")
    following = np.nextafter(halves.astype("<f2"), np.float16(np.inf)).astype("<f4")
    ties = ((halves.astype("f8") + following) / 2).astype("<f4")
    ties = ties[np.isfinite(ties)]
    edges = np.array([0, 65504, 65519.996, 65520, 65536, 3e38, np.inf, 2**-24, 2**-25, 1.5 * 2**-25,
                      np.nextafter(np.float32(2**-25), np.float32(1)), 2**-14, 2**-126, 1e-45], "<f4")
    random = rng.integers(0, 2**32, 600, dtype=np.uint64).astype("<u4").view("<f4")
    random = random[~np.isnan(random)]
    values = np.concatenate([edges, halves, ties, np.nextafter(ties, np.float32(0)),
                             np.nextafter(ties, np.float32(np.inf)), random]).astype("<f4")
    values = np.concatenate([values, -values])
    with np.errstate(over="ignore"):
        pairs = np.zeros(len(values), dtype=[("single", "<u4"), ("half", "<u4")])
        pairs["single"], pairs["half"] = values.view("<u4"), values.astype("<f2").view("<u2")
    write("f16.bin", pairs.tobytes())


main()
