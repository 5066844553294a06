"""Golden states for tests/test_mlp.c, from PyTorch: a 6-5-4-3 network with ReLU, MSE and Adam.

Writes mlp.f32 beside itself (order: see the README). Weights are stored [in][out], the transpose
of torch's.
"""
import pathlib
import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
SIZES, ROWS, STEPS = [6, 5, 4, 3], 7, 10

torch.manual_seed(11)
layers = []
for a, b in zip(SIZES, SIZES[1:]):
    layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
net = torch.nn.Sequential(*layers[:-1])
optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
x, target = torch.randn(STEPS, ROWS, SIZES[0]), torch.randn(STEPS, ROWS, SIZES[-1]) + 1


def flat(gradient):
    out = []
    for layer in net[::2]:
        for p in (layer.weight, layer.bias):
            t = p.grad if gradient else p.detach()
            out.append((t.T if t.ndim == 2 else t).contiguous().numpy().ravel())
    return np.concatenate(out)


arrays = [x.numpy().ravel(), target.numpy().ravel(), flat(False)]
for step in range(STEPS):
    optimiser.zero_grad()
    y = net(x[step])
    loss = torch.nn.functional.mse_loss(y, target[step])
    loss.backward()
    arrays += [y.detach().numpy().ravel(), np.array([loss.item()]), flat(True)]
    optimiser.step()
    arrays.append(flat(False))
(HERE / "mlp.f32").write_bytes(np.concatenate(arrays).astype("<f4").tobytes())
