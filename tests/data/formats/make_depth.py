#!/usr/bin/env python3
"""depth/: a small odd CLIP image tower in transformers' own file, and what transformers computes
with it, in float64: its eight hidden states and its embedding. Needs torch, transformers, numpy.

    python3 make_depth.py              # writes beside this script
"""
import os

import numpy as np
import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "depth")
PATCH, GRID = 3, 3


def draws(seed, count):
    """Values 1 … count of splitmix64 from `seed`, as float32 in [-1, 1): clip_draws of the tests."""
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)


def make_model():
    torch.manual_seed(4)
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=15, num_attention_heads=3, num_hidden_layers=7, intermediate_size=22,
        patch_size=PATCH, image_size=PATCH * GRID, projection_dim=7, hidden_act="quick_gelu"))
    with torch.no_grad():
        for name, p in model.named_parameters():  # the initialisers' 0.02 would leave layers idle
            if "norm" in name or "layrnorm" in name:
                p.copy_(torch.randn_like(p) * 0.2 + (1 if name.endswith("weight") else 0))
            else:
                fan_in = p[0].numel() if p.dim() > 1 and "position" not in name else 1
                p.copy_(torch.randn_like(p) / fan_in ** 0.5 * (1 if p.dim() > 1 else 0.3))
    return model.eval()


def main():
    model = make_model()
    model.save_pretrained(FOLDER)
    side = PATCH * GRID
    image = torch.from_numpy(draws(7, side * side * 3).reshape(1, side, side, 3)).double()
    with torch.no_grad():
        out = model.double()(image.permute(0, 3, 1, 2), output_hidden_states=True)
    assert len(out.hidden_states) == 8
    kept = [x[0].numpy().ravel() for x in (*out.hidden_states, out.image_embeds)]
    np.concatenate(kept).astype("<f4").tofile(os.path.join(FOLDER, "taps.bin"))
    for x in kept:
        print(f"{x.size} values, RMS {np.sqrt((x * x).mean()):.3f}, largest {np.abs(x).max():.3f}")


main()
