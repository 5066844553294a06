#!/usr/bin/env python3
"""Files that ptsconvert must refuse: malicious, damaged and merely wrong. Standard library only.

    python3 make_rejected.py           # writes rejected/ beside this script

The messages in rejected.txt ("FILE|MESSAGE", without the file's own name) are the contract: each was
read and judged before it was written down, and no program rewrites it.
"""
import io
import json
import os
import pickle
import struct
import warnings
import zipfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rejected")


def put(name, data):
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)


class Call:
    """What a malicious checkpoint is: an object whose rebuilding calls a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def archive(name, data_pkl, entries=(), method=zipfile.ZIP_STORED, root="archive/"):
    memory = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(memory, "w", method) as z:
        warnings.simplefilter("ignore")
        for entry, data in [(root + "data.pkl", data_pkl), *entries]:
            z.writestr(zipfile.ZipInfo(entry), data, method)
    put(name, memory.getvalue())
    return memory.getvalue()


def text(s):
    return b"X" + struct.pack("<I", len(s)) + s


def storage(kind=b"FloatStorage", key=b"0", elements=2):
    return (b"(" + text(b"storage") + b"ctorch\n" + kind + b"\n" + text(key) + text(b"cpu") +
            b"J" + struct.pack("<i", elements) + b"tQ")


def tensor(stored=None, offset=0, size=b"K\2\x85", stride=b"K\1\x85"):
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + (stored or storage()) + b"J" +
            struct.pack("<i", offset) + size + stride + b"\x89}tR")


def state(*pairs):
    return b"\x80\x02}(" + b"".join(text(k) + v for k, v in pairs) + b"u."


NUMBERS = ("archive/data/0", struct.pack("<2f", 1, 2))


def pickles():
    archive("os_system.pt", pickle.dumps({"w": Call(os.system, "touch /tmp/owned")}, 2))
    archive("os_system_protocol4.pt", pickle.dumps({"w": Call(os.system, "id")}, 4))
    archive("eval.pt", pickle.dumps(Call(eval, "1"), 2))
    archive("module.pt", b"\x80\x02ctorchvision.models.inception\nInception3\n)\x81}b.")
    archive("inst.pt", b"\x80\x02(ios\nsystem\n.")
    archive("extension.pt", b"\x80\x02\x82\x01.")
    archive("call_a_class.pt", b"\x80\x02ctorch\nFloatStorage\n)R.")
    archive("call_a_list.pt", b"\x80\x02]\x85)R.")
    archive("string_4gb.pt", b"\x80\x02X\xff\xff\xff\xffabc.")
    archive("string_8eb.pt", b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.")
    archive("string_cut.pt", b"\x80\x02X\x10\x00\x00\x00abc.")
    archive("long_of_200_bytes.pt", b"\x80\x02\x8a\xc8" + bytes(200) + b".")
    archive("memo_none.pt", b"\x80\x02h\x07.")
    archive("memo_huge.pt", b"\x80\x02Nr\xff\xff\xff\xff.")
    archive("stack_empty.pt", b"\x80\x02R.")
    archive("mark_none.pt", b"\x80\x02Nt.")
    archive("mark_open.pt", b"\x80\x02(N.")
    archive("odd_dict.pt", b"\x80\x02}(Nu.")
    archive("append_to_dict.pt", b"\x80\x02}Na.")
    archive("no_end.pt", b"\x80\x02}")
    archive("no_tensors.pt", b"\x80\x02}.")
    cycle = b"\x80\x02}q\0" + text(b"a") + b"h\0s."
    archive("cycle.pt", cycle)
    doubling = b"\x80\x02]" + b"".join(
        b"q" + bytes([i]) + b"\x85]q\xff(h" + bytes([i]) + b"h" + bytes([i]) + b"e"
        for i in range(40)) + b"."
    archive("doubling.pt", doubling)
    archive("mark_first.pt", b"\x80\x02(d.")
    archive("marks.pt", b"\x80\x02" + b"(" * 5000 + b".")
    archive("nested.pt", b"\x80\x02" + b"".join(b"}" + text(b"a") for _ in range(200)) + b"N" +
            b"s" * 200 + b".")
    put("plain.pkl", pickle.dumps({"w": Call(os.system, "id")}, 2))


def tensors():
    for name, value in {
        "offset_beyond": tensor(offset=1),
        "offset_negative": tensor(offset=-1),
        "stride_beyond": tensor(stride=b"K\2\x85"),
        "size_negative": tensor(size=b"J\xff\xff\xff\xff\x85"),
        "size_huge": tensor(size=b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85"),
        "stride_huge": tensor(stride=b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85"),
        "more_strides": tensor(stride=b"K\1K\1\x86"),
        "key_path": tensor(storage(key=b"../../etc/passwd")),
        "key_absent": tensor(storage(key=b"7")),
        "elements_more": tensor(storage(elements=3)),
        "storage_is_class": tensor(storage().replace(b"ctorch\nFloatStorage", b"ctorch\nSize")),
        "no_storage": tensor(b"N"),
    }.items():
        archive(name + ".pt", state((b"w", value)), [NUMBERS])
    archive("name_control.pt", state((b"w\x1b[2J", tensor())), [NUMBERS])
    archive("twice.pt", state((b"w", tensor()), (b"w", tensor())), [NUMBERS])
    archive("unknown.pt", state((b"w", tensor())), [NUMBERS])


def zips():
    good = state((b"fc_agg.weight", tensor()))
    archive("deflated.pt", good, [NUMBERS], zipfile.ZIP_DEFLATED)
    archive("bomb.pt", b"\x80\x02" + b"N0" * 500000 + b".", [NUMBERS], zipfile.ZIP_DEFLATED)
    archive("traversal.pt", good, [("archive/../../../tmp/owned", b"x"), NUMBERS])
    archive("absolute.pt", good, [("/tmp/owned", b"x"), NUMBERS])
    archive("entry_twice.pt", good, [NUMBERS, NUMBERS])
    archive("big_endian.pt", good, [NUMBERS, ("archive/byteorder", b"big")])
    archive("no_pickle.pt", good, root="archive/sub/")
    data = archive("crc.pt", good, [NUMBERS])
    at = data.index(NUMBERS[1])
    put("crc.pt", data[:at] + struct.pack("<f", 3) + data[at + 4:])
    put("cut.pt", data[:len(data) // 2])


def legacy():
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    head = magic + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    body = state((b"fc_agg.weight", tensor(storage().replace(b"tQ", b"NtQ"))))
    keys = pickle.dumps(["0"], 2)
    count = struct.pack("<q", 2)
    put("legacy_code.pt", head + pickle.dumps({"w": Call(os.system, "id")}, 2) + keys)
    put("legacy_protocol.pt", magic + pickle.dumps(999, 2) + head)
    put("legacy_cut.pt", head + body + keys + count + bytes(4))
    put("legacy_count.pt", head + body + keys + struct.pack("<q", 1 << 61) + bytes(8))
    put("legacy_other_count.pt", head + body + keys + struct.pack("<q", 1) + bytes(8))
    put("legacy_key.pt", head + body + pickle.dumps(["1"], 2) + count + bytes(8))
    put("legacy_no_keys.pt", head + body + pickle.dumps([], 2))


def safetensors():
    def entry(start, end, shape=(2,), dtype="F32"):
        return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}

    def file(name, header, data=bytes(16), length=None):
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        put(name + ".safetensors",
            struct.pack("<Q", len(raw) if length is None else length) + raw + data)

    file("st_overlap", {"a": entry(0, 8), "b": entry(4, 12), "c": entry(12, 16, (1,))})
    file("st_hole", {"a": entry(0, 8), "b": entry(12, 16, (1,))})
    file("st_tail", {"a": entry(0, 8)})
    file("st_beyond", {"a": entry(0, 24, (6,))})
    file("st_backwards", {"a": entry(8, 0)})
    file("st_negative", {"a": entry(-8, 0)})
    file("st_bytes", {"a": entry(0, 16, (3,))})
    file("st_shape_negative", {"a": entry(0, 16, (-4,))})
    file("st_shape_huge", {"a": entry(0, 16, (1 << 40, 1 << 40))})
    file("st_rank", {"a": entry(0, 16, (1,) * 9)})
    file("st_dtype", {"a": entry(0, 16, (16,), "F8_E4M3")})
    file("st_twice", b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{}}')
    file("st_list", b"{]")
    file("st_header_long", {"a": entry(0, 16, (4,))}, length=1 << 39)
    nan = struct.pack("<f", float("nan")) * 4
    file("st_nan", {"fc_agg.weight": entry(0, 16, (4,))}, nan)
    deep = b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"
    file("st_deep", deep)
    index = {"weight_map": {"a": "../../../etc/passwd"}}
    put("traversal.safetensors.index.json", json.dumps(index).encode())
    index = {"weight_map": {"b": "st_good.safetensors"}}
    put("absent.safetensors.index.json", json.dumps(index).encode())
    file("st_good", {"a": entry(0, 16, (4,))})


def hdf5():
    put("cut.h5", b"\x89HDF\r\n\x1a\n" + bytes(100))


def main():
    os.makedirs(HERE, exist_ok=True)
    for name in os.listdir(HERE):
        os.unlink(os.path.join(HERE, name))
    for make in (pickles, tensors, zips, legacy, safetensors, hdf5):
        make()


main()
