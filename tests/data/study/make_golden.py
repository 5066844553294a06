#!/usr/bin/env python3
"""answer.txt: the study's page in PyTorch. Four photographs, torchvision's InceptionV3 and a CLIP
tower, the study's two heads at full size, minus 10: A and B of the one, C and D of the other. All
weights are drawn (../clip/README.md has the generator). Needs torch, torchvision, pillow, numpy.

    python3 make_golden.py             # writes beside this script
"""
import pathlib
import sys

import torch
from PIL import Image
from torch import nn
from torchvision import transforms as T
from torchvision.models import inception_v3

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "clip"))
from make_golden import Tower, draws  # noqa: E402

PHOTOS = ["campus-walk", "electronic-parts", "trash-bag", "truck-cab"]
CLIP = (32, 7, 48, 2, 3, 100, 512, "quick_gelu", "")  # narrow, but 512 numbers as the real one
SPREADS = (0.1, 20.0)  # of the heads' last layers: curves that look like one, and tell photographs apart


def drawn(seed, shape, scale, offset=0.0):
    x = torch.from_numpy(draws(seed, int(torch.Size(shape).numel()))) * scale
    return x.reshape(shape) + offset


def gain(fan_in):
    return torch.tensor((6 / fan_in) ** 0.5, dtype=torch.float32)


def make_inception():
    """Units in the order of ../formats/inception.txt; batch norms that only add their bias."""
    model = inception_v3(init_weights=False, aux_logits=True, transform_input=False)
    lines = open(HERE.parent / "formats" / "inception.txt").read().splitlines()
    for k, line in enumerate(lines[::2]):
        name, shape = line.split()[:2]
        kh, kw, into, out = map(int, shape.split(","))
        unit = model.get_submodule(name.removesuffix(".weight"))
        weight = drawn(5000 + 2 * k, (kh, kw, into, out), gain(kh * kw * into))
        unit.conv.weight.data = weight.permute(3, 2, 0, 1)
        unit.bn.weight.data.fill_(1)
        unit.bn.bias.data = drawn(5001 + 2 * k, (out,), 0.1)
        unit.bn.running_mean.fill_(0)
        unit.bn.double().running_var.fill_(1 - unit.bn.eps)
    model.fc = nn.Identity()
    return model.double().eval()


def make_head(seed, dim, level, spread):
    sizes = (4 * dim, 2048, 1024, 512, 256, 4)
    steps = []
    for k, (into, out) in enumerate(zip(sizes, sizes[1:])):
        layer = nn.Linear(into, out)
        scale = gain(into) * spread if out == 4 else gain(into)
        layer.weight.data = drawn(seed + 2 * k, (into, out), scale).T
        layer.bias.data = drawn(seed + 1 + 2 * k, (out,), 0.1, level if out == 4 else 0.0)
        steps += [layer, nn.ReLU()]
    return nn.Sequential(*steps[:-1]).double()


def main():
    torch.set_grad_enabled(False)
    small = T.Compose([T.Resize((224, 224)), T.ToTensor(), T.Normalize((0.5,) * 3, (0.5,) * 3)])
    x = torch.stack([small(Image.open(HERE.parent / f"clip_photos/{p}.png").convert("RGB"))
                     for p in PHOTOS])
    imagenet = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    large = imagenet(nn.functional.interpolate(x, (299, 299), mode="bilinear", align_corners=False))
    embeddings = (make_inception()(large.double()),
                  Tower(*CLIP)(x.permute(0, 2, 3, 1).double())[1])
    answers = []
    for y, seed, level, spread in zip(embeddings, (6000, 7000), (10.5, 200.0), SPREADS):
        head = make_head(seed, y.shape[1], level, spread)
        answers.append(head(y.reshape(1, -1))[0] - 10)
        other = head(y.flip(0).reshape(1, -1))[0] - 10
        print(f"embeddings RMS {y.pow(2).mean().sqrt():.4f}, photographs differ by "
              f"{y.std(0).pow(2).mean().sqrt():.4f}; head {answers[-1].tolist()}, photographs in "
              f"the other order {other.tolist()}")
    (a, b, _, _), (_, _, c, d) = answers
    with open(HERE / "answer.txt", "w") as file:
        file.write(" ".join(f"{v:.9g}" for v in (a, b, c, d)) + "\n")


main()
