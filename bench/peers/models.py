"""The networks as torch modules, with the weights of a .ptsw file, and their exports.

prepare(MODEL, weights, cache) fills one folder with what the contestants load:

    model-1.onnx, model-4.onnx     ONNX Runtime and OpenVINO
    model.ncnn.param, .bin         ncnn, where the package pnnx is there
    weights.ptsw                   a link to the weights (clip: written here)
    input.npy, reference.npy       four images, float32; their embeddings by torch in float64
"""
import hashlib
import os
import subprocess
import warnings
from collections import OrderedDict

import numpy as np

import ptsw

BATCHES = (1, 4)


# ---- input ----


def image(index, floats):
    """Image `index` of ptsbench (bench/encoder_input.h): the same generator, all states at once."""
    a, c, length = np.uint64(6364136223846793005), np.uint64(1442695040888963407), 1
    with np.errstate(over="ignore"):
        states = np.array([index + 1], np.uint64) * a + c
        while length < floats:
            states = np.concatenate([states, states * a + c])
            a, c, length = a * a, a * c + c, 2 * length
    return (2 * ((states[:floats] >> np.uint64(11)) / 9007199254740992.0) - 1).astype(np.float32)


def images(side):
    """[4][3][side][side]: ours are NHWC, the peers' NCHW."""
    nhwc = np.stack([image(i, side * side * 3).reshape(side, side, 3) for i in range(max(BATCHES))])
    return np.ascontiguousarray(nhwc.transpose(0, 3, 1, 2))


# ---- InceptionV3 ----


def inception_v3(meta, arrays):
    """The backbone as in torchvision (batch norm folded): each convolution has a bias and a ReLU.
    The average pool counts padding or not, as the file says."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    count_padding = meta["avgpool"] == "include_pad"

    def conv(name, stride=1, padding=0):
        weight = arrays[name + ".weight"]
        height, width, inputs, outputs = weight.shape
        layer = nn.Conv2d(inputs, outputs, (height, width), stride, padding)
        layer.weight.data = torch.from_numpy(np.ascontiguousarray(weight.transpose(3, 2, 0, 1)))
        layer.bias.data = torch.from_numpy(arrays[name + ".bias"].copy())
        return nn.Sequential(layer, nn.ReLU(inplace=True))

    class AveragePool(nn.Module):
        def forward(self, x):
            return F.avg_pool2d(x, 3, 1, 1, count_include_pad=count_padding)

    class Branches(nn.Module):
        """Concatenation of branches; a branch that is a pair (trunk, tops) ends in several."""

        def __init__(self, *branches):
            super().__init__()
            self.trunks = nn.ModuleList(b[0] if isinstance(b, tuple) else b for b in branches)
            self.tops = nn.ModuleList(nn.ModuleList(b[1] if isinstance(b, tuple) else []) for b in branches)

        def forward(self, x):
            parts = []
            for trunk, tops in zip(self.trunks, self.tops):
                y = trunk(x)
                parts += [top(y) for top in tops] if len(tops) else [y]
            return torch.cat(parts, 1)

    def chain(block, *layers):
        return nn.Sequential(*(conv(f"{block}.{name}", *window) for name, *window in layers))

    def pooled(block):
        return nn.Sequential(AveragePool(), conv(f"{block}.branch_pool"))

    def block_a(b):
        return Branches(
            chain(b, ("branch1x1",)),
            chain(b, ("branch5x5_1",), ("branch5x5_2", 1, 2)),
            chain(b, ("branch3x3dbl_1",), ("branch3x3dbl_2", 1, 1), ("branch3x3dbl_3", 1, 1)),
            pooled(b))

    def reduction_a(b):
        return Branches(
            chain(b, ("branch3x3", 2)),
            chain(b, ("branch3x3dbl_1",), ("branch3x3dbl_2", 1, 1), ("branch3x3dbl_3", 2)),
            nn.MaxPool2d(3, 2))

    def block_b(b):
        across, down = (1, (0, 3)), (1, (3, 0))
        return Branches(
            chain(b, ("branch1x1",)),
            chain(b, ("branch7x7_1",), ("branch7x7_2", *across), ("branch7x7_3", *down)),
            chain(b, ("branch7x7dbl_1",), ("branch7x7dbl_2", *down), ("branch7x7dbl_3", *across),
                  ("branch7x7dbl_4", *down), ("branch7x7dbl_5", *across)),
            pooled(b))

    def reduction_b(b):
        return Branches(
            chain(b, ("branch3x3_1",), ("branch3x3_2", 2)),
            chain(b, ("branch7x7x3_1",), ("branch7x7x3_2", 1, (0, 3)), ("branch7x7x3_3", 1, (3, 0)),
                  ("branch7x7x3_4", 2)),
            nn.MaxPool2d(3, 2))

    def block_c(b):
        def tops(name):
            return [conv(f"{b}.{name}a", 1, (0, 1)), conv(f"{b}.{name}b", 1, (1, 0))]

        return Branches(
            chain(b, ("branch1x1",)),
            (chain(b, ("branch3x3_1",)), tops("branch3x3_2")),
            (chain(b, ("branch3x3dbl_1",), ("branch3x3dbl_2", 1, 1)), tops("branch3x3dbl_3")),
            pooled(b))

    layers = {name: conv(name, *window) for name, *window in (
        ("Conv2d_1a_3x3", 2), ("Conv2d_2a_3x3",), ("Conv2d_2b_3x3", 1, 1))}
    layers["maxpool1"] = nn.MaxPool2d(3, 2)
    layers |= {name: conv(name) for name in ("Conv2d_3b_1x1", "Conv2d_4a_3x3")}
    layers["maxpool2"] = nn.MaxPool2d(3, 2)
    blocks = [block_a] * 3 + [reduction_a] + [block_b] * 4 + [reduction_b] + [block_c] * 2
    names = "5b 5c 5d 6a 6b 6c 6d 6e 7a 7b 7c".split()
    layers |= {f"Mixed_{name}": block(f"Mixed_{name}") for name, block in zip(names, blocks)}
    layers |= {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    return nn.Sequential(OrderedDict(layers)).eval()


# ---- CLIP's image tower ----


def clip_weights(seed=1):
    """ViT-B/32's shapes, random: what it computes does not matter to the clock."""
    rng = np.random.default_rng(seed)
    width, layers, patch, tokens, dim = 768, 12, 32, 50, 512

    def normal(scale, *shape):
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    def norm(name):
        return {f"{name}.weight": 1 + normal(0.1, width), f"{name}.bias": normal(0.02, width)}

    def linear(name, inputs, outputs):
        return {f"{name}.weight": normal(inputs**-0.5, inputs, outputs), f"{name}.bias": normal(0.02, outputs)}

    arrays = {"patch.weight": normal((3 * patch * patch) ** -0.5, patch, patch, 3, width),
              "class": normal(1, width), "positions": normal(0.5, tokens, width), **norm("pre_norm")}
    for i in range(layers):
        arrays |= {**norm(f"layer{i}.norm1"), **linear(f"layer{i}.qkv", width, 3 * width),
                   **linear(f"layer{i}.proj", width, width), **norm(f"layer{i}.norm2"),
                   **linear(f"layer{i}.fc1", width, 4 * width), **linear(f"layer{i}.fc2", 4 * width, width)}
    arrays |= {**norm("post_norm"), "projection": normal(width**-0.5, width, dim)}
    identity = hashlib.sha256(f"ViT-B/32, random, seed {seed}".encode()).hexdigest()
    meta = {"arch": "clip_vit", "preset": "clip", "source_sha256": identity, "heads": "12",
            "activation": "quick_gelu"}
    return meta, arrays


def clip_vit(meta, arrays):
    """Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision":
    the image tower, pre-norm, QuickGELU."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    heads = int(meta["heads"])

    def tensor(name):
        return torch.from_numpy(np.array(arrays[name], np.float32))

    def norm(name):
        layer = nn.LayerNorm(len(arrays[name + ".weight"]), eps=1e-5)
        layer.weight.data, layer.bias.data = tensor(name + ".weight"), tensor(name + ".bias")
        return layer

    def linear(name):
        layer = nn.Linear(*arrays[name + ".weight"].shape)
        layer.weight.data, layer.bias.data = tensor(name + ".weight").T.contiguous(), tensor(name + ".bias")
        return layer

    class Layer(nn.Module):
        def __init__(self, name):
            super().__init__()
            self.norm1, self.norm2 = norm(name + ".norm1"), norm(name + ".norm2")
            self.qkv, self.proj = linear(name + ".qkv"), linear(name + ".proj")
            self.fc1, self.fc2 = linear(name + ".fc1"), linear(name + ".fc2")

        def attention(self, x):
            batch, tokens, width = x.shape
            q, k, v = (t.reshape(batch, tokens, heads, width // heads).transpose(1, 2)
                       for t in self.qkv(x).chunk(3, -1))
            y = F.scaled_dot_product_attention(q, k, v)
            return self.proj(y.transpose(1, 2).reshape(batch, tokens, width))

        def forward(self, x):
            x = x + self.attention(self.norm1(x))
            y = self.fc1(self.norm2(x))
            return x + self.fc2(y * torch.sigmoid(1.702 * y))

    class Tower(nn.Module):
        def __init__(self):
            super().__init__()
            patch, _, inputs, width = arrays["patch.weight"].shape
            self.patch = nn.Conv2d(inputs, width, patch, patch, bias=False)
            self.patch.weight.data = tensor("patch.weight").permute(3, 2, 0, 1).contiguous()
            self.first = nn.Parameter(tensor("class").reshape(1, 1, width))
            self.positions = nn.Parameter(tensor("positions")[None])
            self.pre_norm, self.post_norm = norm("pre_norm"), norm("post_norm")
            count = sum(name.endswith(".qkv.weight") for name in arrays)
            self.layers = nn.Sequential(*(Layer(f"layer{i}") for i in range(count)))
            self.projection = nn.Parameter(tensor("projection"))

        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.positions
            x = self.layers(self.pre_norm(x))
            return self.post_norm(x[:, 0]) @ self.projection

    return Tower().eval()


# ---- exports ----

SIDES = {"inception_v3": 299, "clip": 224}
BUILDERS = {"inception_v3": inception_v3, "clip_vit": clip_vit}


def build(folder):
    meta, arrays, _ = ptsw.read(os.path.join(folder, "weights.ptsw"))
    return BUILDERS[meta["arch"]](meta, arrays)


def export_onnx(net, x, folder):
    import torch

    for batch in BATCHES:
        path = os.path.join(folder, f"model-{batch}.onnx")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter by tracing is called old
            torch.onnx.export(net, (x[:batch],), path, dynamo=False, opset_version=17,
                              input_names=["image"], output_names=["embedding"])


def export_ncnn(net, x, folder):
    """By pnnx's program, without which ncnn cannot take part. ncnn knows no batches: one image."""
    import torch

    try:
        import pnnx
    except ImportError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(net, x[:1]).save(os.path.join(folder, "model.pt"))
    shape = ",".join(map(str, x[:1].shape))
    subprocess.run([pnnx.EXEC_PATH, "model.pt", f"inputshape=[{shape}]", "fp16=0"], cwd=folder,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    for name in os.listdir(folder):
        if name == "model.pt" or "pnnx" in name or name.endswith(".py"):
            os.remove(os.path.join(folder, name))


def prepare(model, weights, cache):
    """The folder, filled; what is there from an earlier run with the same weights is kept."""
    import torch

    if model == "clip":
        identity = clip_weights.__defaults__[0]
    else:
        identity = ptsw.read(weights)[2]
    folder = os.path.join(cache, f"{model}-{identity}")
    done = os.path.join(folder, "done")
    if os.path.exists(done):
        return folder
    os.makedirs(folder, exist_ok=True)
    link = os.path.join(folder, "weights.ptsw")
    if model == "clip":
        ptsw.write(link, *clip_weights())
    elif not os.path.exists(link):
        os.symlink(os.path.abspath(weights), link)
    net, x = build(folder), torch.from_numpy(images(SIDES[model]))
    with torch.inference_mode():
        reference = net.double()(x.double()).numpy()
    net.float()
    np.save(os.path.join(folder, "input.npy"), x.numpy())
    np.save(os.path.join(folder, "reference.npy"), reference)
    export_onnx(net, x, folder)
    export_ncnn(net, x, folder)
    open(done, "w").close()
    return folder
