"""Golden files of the default encoder: an independent float64 walk of its Keras graph.

    python make_reference.py PACKAGE PHOTO_FOLDER [OUT_FOLDER]

PACKAGE is the unpacked npm package nsfwjs 4.4.0; PHOTO_FOLDER holds 1.jpg and 2.jpg. Needs numpy,
Pillow and torch. See README.md for the recipe, the formulas and what each file holds.
"""
import base64
import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import PIL
import torch
import torch.nn.functional as F
from PIL import Image

MODEL = Path("dist/models/inception_v3")
SAMPLES = 256
TAPS = {  # torchvision's name -> the layer of the Keras graph
    "Conv2d_1a_3x3": "activation_1",
    "Conv2d_2b_3x3": "activation_3",
    "Conv2d_4a_3x3": "activation_5",
    "Mixed_5b": "mixed0",
    "Mixed_5d": "mixed2",
    "Mixed_6a": "mixed3",
    "Mixed_6c": "mixed5",
    "Mixed_6e": "mixed7",
    "Mixed_7a": "mixed8",
    "Mixed_7c": "mixed10",
}
LAST = TAPS["Mixed_7c"]
TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*")|(?P<bool>!\d)|(?P<name>[A-Za-z_$][\w$]*)'
    r"|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<punct>[{}\[\]:,])"
)


# The package ------------------------------------------------------------------------------------


def object_literal(text, start):
    """The JavaScript object literal at `start`, token by token turned to JSON and parsed."""
    parts, depth, at = [], 0, start
    while True:
        token = TOKEN.match(text, at)
        assert token, f"no literal at character {at}: {text[at:at + 40]!r}"
        at, word = token.end(), token.group()
        if token["bool"]:
            word = {"!0": "true", "!1": "false"}[word]
        elif token["name"]:
            word = word if word == "null" else json.dumps(word)
        elif token["number"]:
            word = repr(float(word)) if re.search("[.eE]", word) else word
        depth += (word in ("{", "[")) - (word in ("}", "]"))
        parts.append(word)
        if depth == 0:
            return json.loads("".join(parts))


def load_package(folder):
    """(layers of the graph in order, weights by name as float32)"""
    text = (folder / "model.min.js").read_text()
    model = object_literal(text, text.index("{modelTopology"))
    weights = {}
    for group in model["weightsManifest"]:
        blob = b"".join(shard(folder / f"{name}.min.js") for name in group["paths"])
        at = 0
        for entry in group["weights"]:
            count = int(np.prod(entry["shape"], dtype=np.int64))
            rule = entry["quantization"]
            assert entry["dtype"] == "float32" and rule["dtype"] == "uint8", entry
            q = np.frombuffer(blob, np.uint8, count, at).astype(np.float64)
            value = (q * rule["scale"] + rule["min"]).astype(np.float32)
            weights[entry["name"]] = value.reshape(entry["shape"])
            at += count
        assert at == len(blob), f"weights take {at} bytes, shards hold {len(blob)}"
    return model["modelTopology"]["model_config"]["config"]["layers"], weights


def shard(path):
    strings = re.findall(r'exports="([A-Za-z0-9+/=]*)"', path.read_text())
    assert len(strings) == 1, f"{path}: {len(strings)} strings"
    return base64.b64decode(strings[0], validate=True)


# The layers: x is [1][channels][height][width] -----------------------------------------------------


def pad_same(x, kernel, stride, value=0.0):
    """TensorFlow's 'same': ceil(size / stride) results, an odd padding's extra at the end."""
    pads = []
    for size, k, s in zip((x.shape[3], x.shape[2]), kernel[::-1], stride[::-1]):
        total = max((-(-size // s) - 1) * s + k - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def conv2d(x, config, weights):
    assert config["activation"] == "linear" and config["dilation_rate"] == [1, 1]
    assert config["data_format"] == "channels_last" and not config["use_bias"]
    kernel = torch.from_numpy(weights[config["name"] + "/kernel"]).to(x.dtype)
    if config["padding"] == "same":
        x = pad_same(x, config["kernel_size"], config["strides"])
    return F.conv2d(x, kernel.permute(3, 2, 0, 1).contiguous(), stride=config["strides"])


def batch_norm(x, config, weights):
    assert config["axis"] == 3 and config["center"]
    name = config["name"]

    def part(key):
        return torch.from_numpy(weights[f"{name}/{key}"]).to(x.dtype)[:, None, None]

    y = (x - part("moving_mean")) / torch.sqrt(part("moving_variance") + config["epsilon"])
    if config["scale"]:
        y = y * part("gamma")
    return y + part("beta")


def max_pool(x, config):
    kernel, stride = config["pool_size"], config["strides"]
    if config["padding"] == "same":
        x = pad_same(x, kernel, stride, -torch.inf)
    return F.max_pool2d(x, kernel, stride)


def average_pool(x, config, count_padding):
    kernel, stride = config["pool_size"], config["strides"]
    if config["padding"] == "valid":
        return F.avg_pool2d(x, kernel, stride)
    mean = F.avg_pool2d(pad_same(x, kernel, stride), kernel, stride)
    if count_padding:
        return mean
    inside = F.avg_pool2d(pad_same(torch.ones_like(x), kernel, stride), kernel, stride)
    return mean / inside


def walk(layers, weights, image, dtype=torch.float64, count_padding=False):
    """image [height][width][3] float32 -> maps by layer name, up to LAST, and 'embedding'"""
    maps = {}
    for layer in layers:
        kind, config = layer["class_name"], layer["config"]
        if kind == "InputLayer":
            maps[layer["name"]] = torch.from_numpy(image).to(dtype).permute(2, 0, 1)[None]
            continue
        (node,) = layer["inbound_nodes"]
        sources = [maps[name] for name, _, _, _ in node]
        x = sources[0]
        if kind == "Concatenate":
            assert config["axis"] == 3
            x = torch.cat(sources, dim=1)
        elif kind == "Conv2D":
            x = conv2d(x, config, weights)
        elif kind == "BatchNormalization":
            x = batch_norm(x, config, weights)
        elif kind == "Activation":
            assert config["activation"] == "relu"
            x = F.relu(x)
        elif kind == "MaxPooling2D":
            x = max_pool(x, config)
        elif kind == "AveragePooling2D":
            x = average_pool(x, config, count_padding)
        else:
            raise ValueError(f"{layer['name']}: no rule for {kind}")
        maps[layer["name"]] = x
        if layer["name"] == LAST:
            break
    maps["embedding"] = maps[LAST].mean(dim=(2, 3), keepdim=True)
    return {name: m[0].permute(1, 2, 0).contiguous().numpy() for name, m in maps.items()}


# Inputs and samples -----------------------------------------------------------------------------


def splitmix64(seed, count):
    """The first `count` outputs (Steele, Lea, Flood 2014), uint64."""
    with np.errstate(over="ignore"):
        step = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = np.uint64(seed) + step
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def random_image(seed, height, width):
    top = splitmix64(seed, height * width * 3) >> np.uint64(40)
    return (top.astype(np.float32) * np.float32(2.0**-24)).reshape(height, width, 3)


def samples(x):
    flat = x.reshape(-1)
    return flat[(splitmix64(flat.size, SAMPLES) % np.uint64(flat.size)).astype(np.int64)]


def photo(source, target):
    image = Image.open(source).convert("RGB").resize((299, 299), Image.Resampling.BILINEAR)
    image.save(target, optimize=True)
    return np.asarray(Image.open(target), dtype=np.float32) / np.float32(255)


# Golden files -----------------------------------------------------------------------------------


class Golden:
    def __init__(self):
        self.lines, self.embeddings, self.taps = [], [], []

    def embedding(self, name, maps):
        self.lines.append(f"embedding {name} {len(self.embeddings)}")
        self.embeddings.append(maps["embedding"].reshape(-1))

    def tap(self, name, tap, maps):
        x = maps[TAPS[tap]]
        h, w, c = x.shape
        rms = np.sqrt(np.mean(x * x))
        self.lines.append(
            f"tap {name} {tap} {len(self.taps)} {h} {w} {c} {x.mean():.9g} {rms:.9g} {x.max():.9g}"
        )
        self.taps.append(samples(x))

    def write(self, out, header):
        np.save(out / "embeddings.npy", np.asarray(self.embeddings, dtype="<f4"))
        np.save(out / "taps.npy", np.asarray(self.taps, dtype="<f4"))
        (out / "manifest.txt").write_text("\n".join(header + self.lines) + "\n")


def report(name, reference, single):
    delta = np.abs(reference["embedding"] - single["embedding"]).max()
    print(f"{name}: embedding max {reference['embedding'].max():.4f}, float32 differs by {delta:.3g}")
    for tap, layer in TAPS.items():
        scale = np.abs(reference[layer]).max()
        delta = np.abs(reference[layer] - single[layer]).max()
        print(f"    {tap}: max {scale:.4f}, float32 differs by {delta / scale:.3g} of it")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(package, photos, out):
    model = package / MODEL
    layers, weights = load_package(model)
    inputs = {f"photo{i}": photo(photos / f"{i}.jpg", out / f"photo{i}.png") for i in (1, 2)}
    inputs["random"] = random_image(1, 299, 299)
    inputs["wide"] = random_image(2, 331, 411)

    golden = Golden()
    for name, image in inputs.items():
        maps = walk(layers, weights, image)
        golden.embedding(name, maps)
        wanted = {"photo2": [], "wide": ["Mixed_5d", "Mixed_6e"]}.get(name, TAPS)
        for tap in wanted:
            golden.tap(name, tap, maps)
        report(name, maps, walk(layers, weights, image, torch.float32))
    counted = walk(layers, weights, inputs["random"], count_padding=True)
    golden.embedding("random_include_pad", counted)
    report("random_include_pad", counted,
           walk(layers, weights, inputs["random"], torch.float32, count_padding=True))

    sources = sorted(model.glob("*.min.js")) + [photos / f"{i}.jpg" for i in (1, 2)]
    header = [
        "# embedding INPUT ROW-OF-embeddings.npy",
        "# tap INPUT NAME ROW-OF-taps.npy HEIGHT WIDTH CHANNELS MEAN RMS MAX",
        f"# python {sys.version.split()[0]}, numpy {np.__version__}, torch {torch.__version__},"
        f" Pillow {PIL.__version__}",
    ] + [f"# sha256 {sha256(path)} {path.name}" for path in sources]
    golden.write(out, header)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    with torch.inference_mode():
        main(Path(sys.argv[1]), Path(sys.argv[2]),
             Path(sys.argv[3] if len(sys.argv) == 4 else Path(__file__).parent))
