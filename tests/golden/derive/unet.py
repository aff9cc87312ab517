"""Makes unet.safetensors: answers, losses and gradients of small DSNO networks, in float64.

    python unet.py unet.safetensors

The network is written here a second time, as plain functions over PyTorch's own operations (complex FFTs along time,
an explicit softmax), with the names of the DSNO authors' checkpoints: module N of `all_modules`, counted in running
order. It shares no code with the Rust crate.

Weights are not stored. Every value follows from its parameter's name and from its place:
    phase = sum(bytes of the name);   wave(k) = 2 frac(43758.5453 sin(12.9898 k + 0.61803 phase)) - 1
    GroupNorm weights 1 + 0.2 wave, biases 0.1 wave, all others 1.5 / sqrt(fan in) * wave
Inputs are waves too, with the names "z", "target" and a scale of 1.5.
"""
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

CASES = {
    # colour, attention everywhere, several heads by their width, classes, three modes at five times
    "conditional": dict(size=8, channels=3, base=32, embedding=48, multipliers=(1, 3), blocks=2, attention=(8, 4),
                        head_channels=16, classes=5, modes=3,
                        log_snr=[-6.0, -2.0, 0.5, 4.0, 20.0], labels=[1, 4]),
    # grey, three levels, two heads, the answer taken from the noise, the Nyquist mode kept
    "grey": dict(size=8, channels=1, base=32, embedding=40, multipliers=(1, 1, 2), blocks=1, attention=(4,),
                 heads=2, modes=3, from_noise=True, log_snr=[-2.0, 0.0, 2.0, 9.0]),
    # a teacher: no temporal convolutions, another noise level for each sample, one of them beyond the range
    "teacher": dict(size=8, channels=3, base=32, embedding=64, multipliers=(1, 2), blocks=1, attention=(4,),
                    classes=4, log_snr=[[-25.0], [3.0]], labels=[0, 3]),
    # the published arrangement: four times of the quadratic grid on the cosine schedule, two modes, one head
    "published": dict(size=12, channels=3, base=32, embedding=64, multipliers=(1, 2), blocks=1, attention=(6,), modes=2,
                      log_snr=[-0.394, 1.763, 4.643, 20.0]),
    # a single time, which has the constant mode only
    "single": dict(size=4, channels=3, base=32, embedding=32, multipliers=(1,), blocks=1, attention=(), modes=2,
                   log_snr=[20.0]),
    # two times, both modes of which are real
    "pair": dict(size=4, channels=2, base=32, embedding=32, multipliers=(2,), blocks=1, attention=(4,), modes=2,
                 log_snr=[-1.0, 6.0]),
}


def wave(name, shape):
    k = np.arange(int(np.prod(shape)), dtype=np.float64)
    large = 43758.5453 * np.sin(12.9898 * k + 0.61803 * sum(name.encode()))
    return (2.0 * (large - np.floor(large)) - 1.0).reshape(shape)


def weight(name, shape):
    leaf = name.rsplit(".", 1)[1]
    if leaf in ("bias", "b"):
        return 0.1 * wave(name, shape)
    if "GroupNorm" in name or len(shape) == 1:
        return 1.0 + 0.2 * wave(name, shape)
    fan_in = shape[0] if leaf in ("W", "weights1") else int(np.prod(shape[1:]))
    return 1.5 / np.sqrt(fan_in) * wave(name, shape)


class Network:
    """One pass through one case; parameters come into being when they are first used."""

    def __init__(self, case):
        self.case, self.parameters, self.number = case, {}, 0

    def next(self):
        self.number += 1
        return f"all_modules.{self.number - 1}"

    def parameter(self, name, *shape):
        value = torch.from_numpy(weight(name, shape).astype(np.float32)).double().requires_grad_(True)
        self.parameters[name] = value
        return value

    def linear(self, name, x, out):
        w = self.parameter(f"{name}.weight", out, x.shape[-1])
        return x @ w.T + self.parameter(f"{name}.bias", out)

    def conv(self, name, x, out):
        w = self.parameter(f"{name}.weight", out, x.shape[1], 3, 3)
        return F.conv2d(x, w, self.parameter(f"{name}.bias", out), padding=1)

    def nin(self, name, x, out):
        w = self.parameter(f"{name}.W", x.shape[1], out)
        return torch.einsum("nihw,io->nohw", x, w) + self.parameter(f"{name}.b", out)[:, None, None]

    def norm(self, name, x, groups):
        c = x.shape[1]
        return F.group_norm(x, groups, self.parameter(f"{name}.weight", c), self.parameter(f"{name}.bias", c), 1e-6)

    def residual(self, x, out, resample=lambda x: x):
        name = self.next()
        h = resample(F.silu(self.norm(f"{name}.GroupNorm_0", x, min(x.shape[1] // 4, 32))))
        x = resample(x)
        h = self.conv(f"{name}.Conv_0", h, out)
        scale, shift = self.linear(f"{name}.Dense_0", self.embedding, 2 * out)[:, :, None, None].chunk(2, dim=1)
        h = self.norm(f"{name}.GroupNorm_1", h, min(out // 4, 32)) * (1 + scale) + shift
        h = self.conv(f"{name}.Conv_1", F.silu(h), out)
        return h + (x if x.shape[1] == out else self.nin(f"{name}.NIN_0", x, out))

    def attention(self, x):
        name, (n, c, height, width) = self.next(), x.shape
        heads = c // self.case["head_channels"] if "head_channels" in self.case else self.case.get("heads", 1)
        qkv = self.nin(f"{name}.NINs", self.norm(f"{name}.GroupNorm_0", x, 32), 3 * c)
        q, k, v = qkv.reshape(n, heads, 3, c // heads, height * width).unbind(2)
        scores = torch.einsum("nhdi,nhdj->nhij", q, k) / math.sqrt(c // heads)
        mixed = torch.einsum("nhij,nhdj->nhdi", scores.softmax(-1), v).reshape(x.shape)
        return x + self.nin(f"{name}.NIN_3", mixed, c)

    def temporal(self, x):
        if "modes" not in self.case:
            return x
        c, times = x.shape[1], self.times
        r = torch.view_as_complex(self.parameter(f"{self.next()}.t_conv.weights1", c, c, self.case["modes"], 2))
        spectrum = torch.fft.rfft(x.unflatten(0, (-1, times)), dim=1)
        kept = min(self.case["modes"], times // 2 + 1)
        mixed = torch.einsum("bkihw,iok->bkohw", spectrum[:, :kept], r[..., :kept])
        return x + F.leaky_relu(torch.fft.irfft(mixed, n=times, dim=1).flatten(0, 1), 0.01)

    def after(self, x, always=False):
        if always or x.shape[-1] in self.case["attention"]:
            x = self.attention(x)
        return self.temporal(x)

    def embed(self, log_snr, labels, batch):
        """Level (and class) of every row, sample by sample, through its last SiLU."""
        base, e = self.case["base"], self.case["embedding"]
        u = torch.atan(torch.exp(-0.5 * log_snr.clamp(-20, 20))) / (math.pi / 2)
        rates = torch.exp(torch.arange(base // 2, dtype=torch.float64) * -(math.log(10000) / (base // 2 - 1)))
        phase = 1000 * u[..., None] * rates
        x = self.linear(self.next(), torch.cat((phase.sin(), phase.cos()), -1), e)
        x = self.linear(self.next(), F.silu(x), e).expand(batch, self.times, e)
        if labels is not None:
            one_hot = F.one_hot(torch.tensor(labels), self.case["classes"]).double()
            x = x + self.linear(self.next(), one_hot, e)[:, None]
        return F.silu(x).flatten(0, 1)

    def __call__(self, z):
        case = self.case
        log_snr = torch.tensor(case["log_snr"], dtype=torch.float64)
        self.times = log_snr.shape[-1]
        self.embedding = self.embed(log_snr, case.get("labels"), z.shape[0])
        x = self.conv(self.next(), z, case["base"]).repeat_interleave(self.times, 0)
        skips, last = [x], len(case["multipliers"]) - 1
        for level, multiplier in enumerate(case["multipliers"]):
            for _ in range(case["blocks"]):
                x = self.after(self.residual(x, case["base"] * multiplier))
                skips.append(x)
            if level != last:
                x = self.residual(x, x.shape[1], lambda x: F.avg_pool2d(x, 2))
                skips.append(x)
        x = self.after(self.residual(x, x.shape[1]), always=True)
        x = self.residual(x, x.shape[1])
        for level, multiplier in reversed(list(enumerate(case["multipliers"]))):
            for _ in range(case["blocks"] + 1):
                x = self.after(self.residual(torch.cat((x, skips.pop()), 1), case["base"] * multiplier))
            if level != 0:
                x = self.residual(x, x.shape[1], lambda x: F.interpolate(x, scale_factor=2, mode="nearest"))
        x = F.silu(self.norm(self.next(), x, 32))
        x = self.conv(self.next(), x, case["channels"]).unflatten(0, (-1, self.times))
        return z[:, None] - x if case.get("from_noise") else x


def main():
    out = {}
    for name, case in CASES.items():
        c, s = case["channels"], case["size"]
        z = torch.from_numpy((1.5 * wave("z", (2, c, s, s))).astype(np.float32)).double().requires_grad_(True)
        network = Network(case)
        answer = network(z)
        target = torch.from_numpy((1.5 * wave("target", tuple(answer.shape))).astype(np.float32)).double()
        loss = (answer - target).abs().mean()
        loss.backward()
        out[f"{name}.answer"] = answer.detach().numpy()
        out[f"{name}.loss"] = np.array([loss.item()])
        out[f"{name}.gradient.z"] = z.grad.numpy()
        # Of each parameter's gradient: its sum and its root of squares, which fix a wrong one well enough.
        for parameter, value in network.parameters.items():
            g = value.grad if value.grad is not None else torch.zeros_like(value)
            out[f"{name}.gradient.{parameter}"] = np.array([g.sum().item(), g.square().sum().sqrt().item()])
        print(name, float(answer.detach().abs().mean()), loss.item())
    save_file(out, sys.argv[1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
