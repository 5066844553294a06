"""Reads and writes .ptsw files (the format is described at the head of src/weights/ptsw.h)."""
import struct

import numpy as np

MASK = (1 << 64) - 1
P1, P2 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F
HEADER = struct.Struct("<8sIIQIIQQQQ")
ENTRY = struct.Struct("<72sII4QQQ")
MAGIC = b"PTSW\r\n\x1a\n"


def read(path):
    """({key: value}, {name: float32 array}, checksum as 16 hexadecimal digits)"""
    data = np.memmap(path, np.uint8, "r")
    magic, version, _, _, metas, tensors, _, table, _, checksum = HEADER.unpack(data[:64].tobytes())
    if magic != MAGIC or version != 1:
        raise SystemExit(f"{path}: expected a .ptsw file, version 1")
    meta, at = {}, 64
    for _ in range(metas):
        key, value = struct.unpack("<II", data[at : at + 8].tobytes())
        text = data[at + 8 : at + 8 + key + value + 2].tobytes()
        meta[text[:key].decode()] = text[key + 1 : -1].decode()
        at += 8 + len(text)
    arrays = {}
    for i in range(tensors):
        entry = data[table + 128 * i : table + 128 * (i + 1)].tobytes()
        name, dtype, rank, *shape, offset, size = ENTRY.unpack(entry)
        array = data[offset : offset + size].view("<f2" if dtype else "<f4").reshape(shape[:rank])
        arrays[name.rstrip(b"\0").decode()] = array.astype(np.float32)
    return meta, arrays, f"{checksum:016x}"


def rotate(x, n):
    return (x << n | x >> (64 - n)) & MASK


def checksum(parts):
    """Of the concatenation of parts, each a whole number of 64-byte stripes."""
    lanes = [P2 * (i + 1) & MASK for i in range(8)]
    for part in parts:
        words = np.frombuffer(part, "<u8").reshape(-1, 8)
        for i in range(8):
            lane = lanes[i]
            for word in words[:, i].tolist():
                lane ^= word
                lane = (lane << 29 & MASK | lane >> 35) * P1 & MASK
            lanes[i] = lane
    h = P1
    for lane in lanes:
        h = rotate(h ^ lane, 31) * P2 & MASK
    h = (h ^ h >> 33) * P1 & MASK
    h = (h ^ h >> 29) * P2 & MASK
    return h ^ h >> 32


def pad(data):
    return data + bytes(-len(data) % 64)


def write(path, meta, arrays):
    """meta {key: value}, arrays {name: float32 array}; the checksum takes seconds per 100 MB."""
    strings = b""
    for key, value in meta.items():
        key, value = key.encode(), value.encode()
        strings += struct.pack("<II", len(key), len(value)) + key + b"\0" + value + b"\0"
    table_at = 64 + len(pad(strings))
    data_at = at = table_at + ENTRY.size * len(arrays)
    table, data = b"", []
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array, "<f4").tobytes()
        shape = list(array.shape) + [1] * (4 - array.ndim)
        table += ENTRY.pack(name.encode(), 0, array.ndim, *shape, at, len(raw))
        data.append(pad(raw))
        at += len(data[-1])

    def header(total):
        return HEADER.pack(MAGIC, 1, 64, at, len(meta), len(arrays), len(strings), table_at, data_at, total)

    total = checksum([header(0), pad(strings), table, *data])
    with open(path, "wb") as file:
        file.writelines([header(total), pad(strings), table, *data])
