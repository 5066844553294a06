"""Golden states for tests/test_mlp.c, from PyTorch: a network with every kind of layer, trained ten
steps by each rule and loss; the rates of two schedules.

Writes mlp.f32 and schedule.f32 beside itself (order: see the README). Weights are stored
[in][out], the transpose of torch's.
"""
import pathlib
import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
ROWS, STEPS, SEED, LAYERS_MAX = 7, 10, 11, 64
IN, OUT, DROP, DROP_LAYER = 6, 3, 0.25, 3
M64 = 2**64 - 1


def mix(z):
    """splitmix64 (Steele, Lea, Flood 2014), written anew."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
    return z ^ (z >> 31)


def draws(state, count):
    """State after a draw and what it gives, `count` times."""
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & M64
        yield mix(state)


def mask(step, shape):
    """What the dropout of a step keeps: include/pts/mlp.h, src/nn/layers.h."""
    key = next(draws(SEED, 1)) ^ (step * LAYERS_MAX + DROP_LAYER)
    key = next(draws(key, 1))
    kept = [(u >> 11) * 2.0**-53 >= DROP for u in draws(key, shape[0] * shape[1])]
    return torch.tensor(kept).reshape(shape) / (1 - DROP)


class Dropout(torch.nn.Module):
    step = 0

    def forward(self, x):
        return x * mask(self.step, x.shape) if self.training else x


def network():
    torch.manual_seed(11)
    nn = torch.nn
    net = nn.Sequential(nn.Linear(IN, 16), nn.LayerNorm(16), nn.GELU(), Dropout(), nn.Linear(16, 12),
                        nn.Tanh(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, OUT))
    with torch.no_grad():  # gains and shifts that can be told from their start
        net[1].weight.uniform_(0.5, 1.5)
        net[1].bias.uniform_(-0.5, 0.5)
    return net


def flat(net, gradient):
    out = []
    for p in net.parameters():
        t = p.grad if gradient else p.detach()
        out.append((t.T if t.ndim == 2 else t).contiguous().numpy().ravel())
    return np.concatenate(out)


def run(optimiser, loss_of, clip):
    net = network()
    opt = optimiser(net.parameters())
    arrays = [flat(net, False)]
    for step in range(STEPS):
        net.eval()
        arrays.append(net(x[step]).detach().numpy().ravel())
        net.train()
        net[DROP_LAYER].step = step
        opt.zero_grad()
        loss = loss_of(net(x[step]), target[step])
        loss.backward()
        arrays += [np.array([loss.item()]), flat(net, True)]
        if clip:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        opt.step()
        arrays.append(flat(net, False))
    return np.concatenate(arrays)


def rates(scheduler, steps):
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule, out = scheduler(opt), []
    for _ in range(steps):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        schedule.step()
    return np.array(out)


def write(name, arrays):
    (HERE / name).write_bytes(np.concatenate(arrays).astype("<f4").tobytes())


torch.manual_seed(12)
x, target = torch.randn(STEPS, ROWS, IN), torch.randn(STEPS, ROWS, OUT) + 1
mse, huber = torch.nn.MSELoss(), torch.nn.HuberLoss(delta=0.5)
optim = torch.optim
write("mlp.f32", [
    x.numpy().ravel(), target.numpy().ravel(),
    run(lambda p: optim.Adam(p, lr=1e-3), mse, 0),
    run(lambda p: optim.Adam(p, lr=1e-2, betas=(0.8, 0.99), weight_decay=0.1), huber, 0),
    run(lambda p: optim.AdamW(p, lr=1e-2, weight_decay=0.1), mse, 0.5),
    run(lambda p: optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01), huber, 0),
    run(lambda p: optim.SGD(p, lr=0.1), mse, 0.2),
])
write("schedule.f32", [
    rates(lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=20, eta_min=0.01), 21),
    rates(lambda o: optim.lr_scheduler.StepLR(o, step_size=7, gamma=0.3), 30),
])
