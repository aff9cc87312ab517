"""Makes flax_pd.safetensors: what small networks of progressive distillation answer, in float64.

    python flax_pd.py flax_pd.safetensors

The U-Net of Salimans & Ho 2022 (arXiv:2202.00512) as its published checkpoints have it, written here as plain functions
over PyTorch: maps are [N, H, W, C], parameters have the names and layouts of the Flax modules, and attention keeps its
queries, keys and values apart. It shares no code with the Rust crate.

Weights are not stored. Every value follows from its name, joined by "/", and from its place in the stored array:
    phase = sum(bytes of the name);   wave(k) = 2 frac(43758.5453 sin(12.9898 k + 0.61803 phase)) - 1
    scale: 1 + 0.2 wave;   bias: 0.1 wave;   kernel: 1.5 / sqrt(product of all axes but those that come out) * wave
The input is a wave too, [N, C, H, W], with the name "z" and a scale of 1.5. What is stored: the shape of every parameter
and the answers, as `x` after joining image and noise where the network predicts both.
"""
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

CASES = {
    # classes, three heads by their width in the wide part, image and noise side by side, as for ImageNet
    "both": dict(size=8, channels=3, base=32, embedding=48, multipliers=(1, 3), blocks=1, attention=(4,),
                 head_channels=32, classes=5, both=True, log_snr=[-1.5, 4.0], labels=[1, 4]),
    # no classes, one head, one prediction, attention at two sizes, as for CIFAR-10
    "single": dict(size=8, channels=3, base=32, embedding=32, multipliers=(1, 1), blocks=2, attention=(8, 4),
                   heads=1, classes=1, both=False, log_snr=[-25.0, 2.5]),
    # grey, four heads by their number
    "heads": dict(size=4, channels=1, base=32, embedding=32, multipliers=(2,), blocks=1, attention=(4,),
                  heads=4, classes=1, both=True, log_snr=[0.0, -6.0]),
}


def wave(name, shape):
    k = np.arange(int(np.prod(shape)), dtype=np.float64)
    large = 43758.5453 * np.sin(12.9898 * k + 0.61803 * sum(name.encode()))
    return (2.0 * (large - np.floor(large)) - 1.0).reshape(shape)


def weight(name, shape, out_axes=1):
    leaf = name.rsplit("/", 1)[1]
    if leaf == "scale":
        return 1.0 + 0.2 * wave(name, shape)
    if leaf == "bias":
        return 0.1 * wave(name, shape)
    return 1.5 / math.sqrt(np.prod(shape[:len(shape) - out_axes])) * wave(name, shape)


class Network:
    def __init__(self, case):
        self.case, self.parameters = case, {}

    def parameter(self, name, *shape, out_axes=1):
        value = weight(name, shape, out_axes).astype(np.float32)
        self.parameters[name] = value
        return torch.from_numpy(value).double()

    def dense(self, name, x, out):
        return x @ self.parameter(f"{name}/kernel", x.shape[-1], out) + self.parameter(f"{name}/bias", out)

    def conv(self, name, x, out):
        kernel = self.parameter(f"{name}/kernel", 3, 3, x.shape[-1], out)
        y = F.conv2d(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), padding=1).permute(0, 2, 3, 1)
        return y + self.parameter(f"{name}/bias", out)

    def norm(self, name, x):
        """32 groups of neighbouring channels, whatever their number."""
        n, h, w, c = x.shape
        g = x.reshape(n, h * w, 32, c // 32)
        mean = g.mean(dim=(1, 3), keepdim=True)
        variance = (g - mean).square().mean(dim=(1, 3), keepdim=True)
        y = ((g - mean) / (variance + 1e-6).sqrt()).reshape(x.shape)
        return y * self.parameter(f"{name}/scale", c) + self.parameter(f"{name}/bias", c)

    def block(self, name, x, out, resample=lambda x: x):
        h = resample(F.silu(self.norm(f"{name}/norm1", x)))
        x = resample(x)
        h = self.conv(f"{name}/conv1", h, out)
        scale, shift = self.dense(f"{name}/temb_proj", F.silu(self.embedding), 2 * out)[:, None, None].chunk(2, -1)
        h = self.norm(f"{name}/norm2", h) * (1 + scale) + shift
        h = self.conv(f"{name}/conv2", F.silu(h), out)
        return h + (x if x.shape[-1] == out else self.dense(f"{name}/nin_shortcut", x, out))

    def attention(self, name, x):
        n, height, width, c = x.shape
        heads = c // self.case["head_channels"] if "head_channels" in self.case else self.case["heads"]
        d = c // heads
        h = self.norm(f"{name}/norm", x).reshape(n, height * width, c)

        def projected(part):
            kernel = self.parameter(f"{name}/{part}/kernel", c, heads, d, out_axes=2)
            return torch.einsum("npc,chd->nphd", h, kernel) + self.parameter(f"{name}/{part}/bias", heads, d)

        q, k, v = projected("q"), projected("k"), projected("v")
        shares = (torch.einsum("nphd,nrhd->nhpr", q, k) / math.sqrt(d)).softmax(-1)
        mixed = torch.einsum("nhpr,nrhd->nphd", shares, v)
        kernel = self.parameter(f"{name}/proj_out/kernel", heads, d, c)
        out = torch.einsum("nphd,hdc->npc", mixed, kernel) + self.parameter(f"{name}/proj_out/bias", c)
        return x + out.reshape(x.shape)

    def embed(self, log_snr, labels):
        base, e = self.case["base"], self.case["embedding"]
        u = torch.atan(torch.exp(-0.5 * log_snr.clamp(-20, 20))) / (math.pi / 2)
        rates = torch.exp(torch.arange(base // 2, dtype=torch.float64) * -(math.log(10000) / (base // 2 - 1)))
        phase = 1000 * u[:, None] * rates
        x = self.dense("dense0", torch.cat((phase.sin(), phase.cos()), -1), e)
        x = self.dense("dense1", F.silu(x), e)
        if self.case["classes"] > 1:
            x = x + self.dense("class_emb", F.one_hot(torch.tensor(labels), self.case["classes"]).double(), e)
        return x

    def __call__(self, x):
        case = self.case
        self.embedding = self.embed(torch.tensor(case["log_snr"], dtype=torch.float64), case.get("labels"))
        x = self.conv("conv_in", x, case["base"])
        skips, last = [x], len(case["multipliers"]) - 1
        for level, multiplier in enumerate(case["multipliers"]):
            for block in range(case["blocks"]):
                x = self.block(f"down_{level}.block_{block}", x, case["base"] * multiplier)
                if x.shape[1] in case["attention"]:
                    x = self.attention(f"down_{level}.attn_{block}", x)
                skips.append(x)
            if level != last:
                halve = lambda x: x.unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).mean(dim=(2, 4))
                x = self.block(f"down_{level}.downsample", x, x.shape[-1], halve)
                skips.append(x)
        x = self.block("mid.block_1", x, x.shape[-1])
        x = self.attention("mid.attn_1", x)
        x = self.block("mid.block_2", x, x.shape[-1])
        for level, multiplier in reversed(list(enumerate(case["multipliers"]))):
            for block in range(case["blocks"] + 1):
                x = self.block(f"up_{level}.block_{block}", torch.cat((x, skips.pop()), -1), case["base"] * multiplier)
                if x.shape[1] in case["attention"]:
                    x = self.attention(f"up_{level}.attn_{block}", x)
            if level != 0:
                double = lambda x: x.repeat_interleave(2, 1).repeat_interleave(2, 2)
                x = self.block(f"up_{level}.upsample", x, x.shape[-1], double)
        out = case["channels"] * (2 if case["both"] else 1)
        return self.conv("conv_out", F.silu(self.norm("norm_out", x)), out)


def clean(case, output, z):
    """The prediction of x; two predictions are joined with the weights sigma² and alpha²."""
    if not case["both"]:
        return output
    log_snr = torch.tensor(case["log_snr"], dtype=torch.float64)[:, None, None, None]
    alpha, sigma = torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()
    x, noise = output.chunk(2, -1)
    return sigma ** 2 * x + alpha ** 2 * (z - sigma * noise) / alpha


def answer(case):
    shape = (2, case["channels"], case["size"], case["size"])
    z = torch.from_numpy((1.5 * wave("z", shape)).astype(np.float32)).double().permute(0, 2, 3, 1)
    network = Network(case)
    return network.parameters, clean(case, network(z), z).permute(0, 3, 1, 2).contiguous().numpy()


def main():
    out = {}
    for name, case in CASES.items():
        parameters, out[f"{name}.answer"] = answer(case)
        for parameter, value in parameters.items():
            out[f"{name}.shape.{parameter}"] = np.array(value.shape, dtype=np.int64)
        print(name, float(np.abs(out[f"{name}.answer"]).mean()), sum(v.size for v in parameters.values()), "parameters")
    save_file(out, sys.argv[1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
