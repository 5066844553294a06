"""Golden states for tests/test_layers.c, from PyTorch: Adam, AdamW and bilinear upsampling.

Writes adam.f32 and upsample.f32 (little-endian float32, in the order of the README) beside itself.
"""
import pathlib
import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
COUNT, STEPS = 37, 10
SHAPES = [(3, 5, 2), (1, 1, 3), (1, 4, 1), (6, 2, 8)]


def adam_states(optimiser, start, gradients, **options):
    w = torch.nn.Parameter(start.clone())
    opt = optimiser([w], lr=0.01, betas=(0.9, 0.999), eps=1e-8, **options)
    states = []
    for g in gradients:
        w.grad = g.clone()
        opt.step()
        states.append(w.detach().clone())
    return torch.stack(states)


def upsample_case(height, width, channels):
    x = torch.randn(height, width, channels, requires_grad=True)
    y = torch.nn.functional.interpolate(x.permute(2, 0, 1)[None], scale_factor=2, mode="bilinear",
                                        align_corners=False)[0].permute(1, 2, 0)
    dy = torch.randn_like(y)
    y.backward(dy)
    return [x.detach(), y.detach(), dy, x.grad]


def write(name, tensors):
    data = np.concatenate([t.contiguous().numpy().astype("<f4").ravel() for t in tensors])
    (HERE / name).write_bytes(data.tobytes())


torch.manual_seed(7)
start, gradients = torch.randn(COUNT), torch.randn(STEPS, COUNT) * 10 ** torch.linspace(-4, 2, COUNT)
write("adam.f32", [start, gradients, adam_states(torch.optim.Adam, start, gradients),
                   adam_states(torch.optim.AdamW, start, gradients, weight_decay=0.1)])
write("upsample.f32", [t for shape in SHAPES for t in upsample_case(*shape)])
