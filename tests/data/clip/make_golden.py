"""Golden files of the CLIP image encoder: see README.md.

    python make_golden.py FOLDER

Weights and images come from a counter-based generator, so that the test makes the same ones and no
weights are stored. The forward pass is torch's in float64, of torch.nn's own modules, arranged as
in the published model (github.com/openai/CLIP, clip/model.py, VisionTransformer).
"""
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

# name: patch, grid, width, layers, heads, hidden, dim, activation, what is stored
CONFIGS = {
    "odd_quick_gelu": (8, 5, 48, 3, 3, 100, 20, "quick_gelu", "taps"),
    "odd_gelu": (8, 5, 48, 3, 3, 100, 20, "gelu", "taps"),
    "narrow": (3, 3, 36, 2, 3, 50, 7, "quick_gelu", "taps"),
    "one_head": (2, 2, 300, 2, 1, 33, 5, "gelu", "taps"),
    "many_tokens": (2, 17, 32, 2, 2, 70, 64, "quick_gelu", "embedding"),
    "vit_b_32": (32, 7, 768, 12, 12, 3072, 512, "quick_gelu", "eighth"),
}
MASK = (1 << 64) - 1


def draws(seed, count):
    """Values 1 … count of splitmix64 from `seed`, as float32 in [-1, 1)."""
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed & MASK)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)


class Tensors:
    """Tensor k of a file is scale · draws(1000 + k) + offset, in float32."""

    def __init__(self):
        self.made = 0

    def __call__(self, *shape, fan_in=None, scale=0.1, offset=0.0):
        if fan_in:
            scale = (3 / fan_in) ** 0.5
        x = draws(1000 + self.made, int(np.prod(shape))) * np.float32(scale)
        if offset:
            x = x + np.float32(offset)
        self.made += 1
        return torch.from_numpy(x.reshape(shape)).double()


def norm(make, width):
    layer = nn.LayerNorm(width, eps=1e-5, dtype=torch.float64)
    layer.weight.data = make(width, offset=1)
    layer.bias.data = make(width)
    return layer


def linear(make, depth, columns):
    layer = nn.Linear(depth, columns, dtype=torch.float64)
    layer.weight.data = make(depth, columns, fan_in=depth).T
    layer.bias.data = make(columns)
    return layer


class QuickGELU(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, make, width, heads, hidden, activation):
        super().__init__()
        self.norm1 = norm(make, width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True, dtype=torch.float64)
        self.attention.in_proj_weight.data = make(width, 3 * width, fan_in=width).T
        self.attention.in_proj_bias.data = make(3 * width)
        self.attention.out_proj.weight.data = make(width, width, fan_in=width).T
        self.attention.out_proj.bias.data = make(width)
        self.norm2 = norm(make, width)
        first = linear(make, width, hidden)
        second = linear(make, hidden, width)
        self.mlp = nn.Sequential(first, {"gelu": nn.GELU, "quick_gelu": QuickGELU}[activation](), second)

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Tower(nn.Module):
    def __init__(self, patch, grid, width, layers, heads, hidden, dim, activation, _):
        super().__init__()
        make = Tensors()
        self.patch = nn.Conv2d(3, width, patch, patch, bias=False, dtype=torch.float64)
        self.patch.weight.data = make(patch, patch, 3, width, fan_in=3 * patch * patch).permute(3, 2, 0, 1)
        self.token = make(width, scale=1)
        self.positions = make(grid * grid + 1, width, scale=1)
        self.pre_norm = norm(make, width)
        self.blocks = [Block(make, width, heads, hidden, activation) for _ in range(layers)]
        self.post_norm = norm(make, width)
        self.projection = make(width, dim, fan_in=width)

    def forward(self, images):  # [count, height, width, 3]
        x = self.patch(images.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), 1, -1), x], 1) + self.positions
        taps = [x := self.pre_norm(x)]
        for block in self.blocks:
            taps.append(x := block(x))
        return taps, self.post_norm(x[:, 0]) @ self.projection


def main(folder):
    torch.set_grad_enabled(False)
    for name, config in CONFIGS.items():
        side = config[0] * config[1]
        images = np.stack([draws(7 + i, side * side * 3).reshape(side, side, 3) for i in range(2)])
        taps, embedding = Tower(*config)(torch.from_numpy(images).double())
        if config[-1] == "taps":
            kept = [tap[0] for tap in taps] + [embedding]
        else:
            kept = [embedding if config[-1] == "embedding" else embedding[:, ::8]]
        data = np.concatenate([x.numpy().ravel() for x in kept]).astype("<f4")
        data.tofile(Path(folder) / f"{name}.bin")
        print(f"{name}: {data.size} values, embedding RMS {embedding.pow(2).mean().sqrt():.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
