"""Makes edm.safetensors: answers of small EDM networks, in float64.

    python edm.py edm.safetensors

The networks of Karras et al. 2022 (arXiv:2206.00364, appendix C and table 1) written as functions of named weights.
Weights are not stored. Every value follows from its tensor's name in a state dict and from its place k, row-major:
    h       = FNV-1a, 64 bits, of the name's bytes
    draw(k) = SplitMix64's mix of h + (k + 1) * 0x9E3779B97F4A7C15, its upper 53 bits as a number in [-1, 1)
    one axis: biases 0.1 draw, frequencies 16 draw, others 1 + 0.2 draw;   more axes: sqrt(3 / fan in) draw
all rounded to float32. Images are 0.5 draw("image"), noise is sqrt(3) draw("noise"), rounded too.
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

torch.set_num_threads(1)
MASK = (1 << 64) - 1

SONG = dict(kind="song", embedding="positional", noise_mult=1, encoder="standard", decoder="standard", taps=(1, 1))
CASES = {
    # DDPM++ with classes and augmentation labels
    "ddpmpp": dict(SONG, size=8, image=3, labels=5, augment=9, width=16, mult=(1, 2), emb_mult=4, blocks=2, attention=(4,),
                   precond=("edm", dict(sigma_data=0.5)), sigmas=(0.02, 0.7, 60.0), classes=(4, 1)),
    # NCSN++, grey, attention at two sizes
    "ncsnpp": dict(SONG, embedding="fourier", noise_mult=2, encoder="residual", taps=(1, 3, 3, 1), size=8, image=1, labels=0,
                   augment=0, width=20, mult=(1, 2, 1), emb_mult=3, blocks=1, attention=(8, 2), precond=("ve", {}),
                   sigmas=(0.03, 1.1, 40.0), classes=None),
    # both skips, a lopsided filter, classes
    "skips": dict(SONG, encoder="skip", decoder="skip", taps=(1, 4, 3, 2, 1, 1), size=8, image=3, labels=4, augment=0,
                  width=16, mult=(2, 1, 2), emb_mult=2, blocks=1, attention=(4,),
                  precond=("vp", dict(beta_d=19.9, beta_min=0.1, M=1000)), sigmas=(0.01, 0.9, 80.0), classes=(0, 3)),
    # a residual encoder with several levels and classes, read off at every size
    "residual": dict(SONG, embedding="fourier", encoder="residual", decoder="skip", taps=(1, 1), size=8, image=2, labels=3,
                     augment=4, width=16, mult=(1, 1, 2), emb_mult=1, blocks=1, attention=(),
                     precond=("edm", dict(sigma_data=0.3)), sigmas=(0.1, 5.0), classes=(2, 0)),
    # ADM with one and two heads, classes and augmentation labels
    "adm": dict(kind="adm", noise_mult=1, taps=(1, 1), size=4, image=3, labels=4, augment=6, width=64, mult=(1, 2), emb_mult=2, blocks=1,
                attention=(4, 2), precond=("edm", dict(sigma_data=0.5)), sigmas=(0.05, 0.8, 20.0), classes=(2, 3)),
    # ADM too narrow to attend, with learned variances and discrete levels
    "iddpm": dict(kind="adm", noise_mult=1, taps=(1, 1), size=8, image=3, labels=0, augment=0, width=16, mult=(2, 1), emb_mult=2, blocks=2,
                  attention=(8,), precond=("iddpm", dict(C_1=0.001, C_2=0.008, M=50)), sigmas=(0.04, 1.3, 30.0), classes=None),
}
# Published networks, for their sizes.
PUBLISHED = {
    "cifar10-ddpmpp": dict(SONG, size=32, image=3, labels=0, augment=0, width=128, mult=(2, 2, 2), emb_mult=4, blocks=4, attention=(16,)),
    "cifar10-ncsnpp": dict(SONG, embedding="fourier", noise_mult=2, encoder="residual", taps=(1, 3, 3, 1), size=32, image=3,
                           labels=10, augment=9, width=128, mult=(2, 2, 2), emb_mult=4, blocks=4, attention=(16,)),
    "ffhq-ddpmpp": dict(SONG, size=64, image=3, labels=0, augment=9, width=128, mult=(1, 2, 2, 2), emb_mult=4, blocks=4, attention=(16,)),
    "imagenet64-adm": dict(kind="adm", noise_mult=1, taps=(1, 1), size=64, image=3, labels=1000, augment=0, width=192,
                           mult=(1, 2, 3, 4), emb_mult=4, blocks=3, attention=(32, 16, 8)),
}


def draw(name, shape):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1.0).reshape(shape)


def value(name, shape):
    if len(shape) > 1:
        values = np.sqrt(3.0 / np.prod(shape[1:])) * draw(name, shape)
    elif name.endswith("bias"):
        values = 0.1 * draw(name, shape)
    elif name.endswith("freqs"):
        values = 16.0 * draw(name, shape)
    else:
        values = 1.0 + 0.2 * draw(name, shape)
    return values.astype(np.float32)


class Weights:
    """Hands out weights by name and remembers which there were; on the device "meta" only their shapes."""

    def __init__(self, device="cpu"):
        self.device, self.trained, self.stored = device, {}, {}

    def __call__(self, name, *shape, trained=True):
        (self.trained if trained else self.stored)[name] = shape
        if self.device == "meta":
            return torch.empty(shape, dtype=torch.float64, device="meta")
        return torch.from_numpy(value(name, shape)).double()

    def kernel(self, name, taps):
        """A filter in two dimensions, as a state dict holds it."""
        f = torch.tensor(taps, dtype=torch.float64, device=self.device)
        f = f / f.sum()
        self.stored[name + ".resample_filter"] = (1, 1, len(taps), len(taps))
        return f[:, None] * f[None, :]


def halve(x, kernel, padding):
    c = x.shape[1]
    return F.conv2d(x, kernel.expand(c, 1, *kernel.shape), stride=2, padding=padding, groups=c)


def double(x, kernel, padding):
    c = x.shape[1]
    return F.conv_transpose2d(x, 4 * kernel.expand(c, 1, *kernel.shape), stride=2, padding=padding, groups=c)


def convolution(w, name, x, c_out, size, change=None, taps=None):
    """size 0: no kernel. change: None, "down", "up", or "down after": convolve first, as far out as the filter reads."""
    c_in, margin = x.shape[1], 0
    if change is not None:
        kernel, reach = w.kernel(name, taps), (len(taps) - 1) // 2
        if change == "down":
            x = halve(x, kernel, reach)
        elif change == "up":
            x = double(x, kernel, reach)
        else:
            margin = reach
    bias = None
    if size:
        x = F.conv2d(x, w(name + ".weight", c_out, c_in, size, size), padding=size // 2 + margin)
        bias = w(name + ".bias", c_out)
    if change == "down after":
        x = halve(x, kernel, 0)
    return x if bias is None else x + bias[:, None, None]


def linear(w, name, x, c_out, bias=True):
    y = x @ w(name + ".weight", c_out, x.shape[1]).T
    return y + w(name + ".bias", c_out) if bias else y


def norm(w, name, x, eps):
    n, c, height, width = x.shape
    grouped = x.reshape(n, min(32, c // 4), -1)
    mean, var = grouped.mean(2, keepdim=True), grouped.var(2, keepdim=True, unbiased=False)
    x = ((grouped - mean) / (var + eps).sqrt()).reshape(x.shape)
    return x * w(name + ".weight", c)[:, None, None] + w(name + ".bias", c)[:, None, None]


def block(w, name, x, e, c_out, cfg, change=None, attends=False):
    song, c_in, taps = cfg["kind"] == "song", x.shape[1], cfg["taps"]
    eps, strength = (1e-6, 0.5**0.5) if song else (1e-5, 1.0)
    h = convolution(w, name + ".conv0", F.silu(norm(w, name + ".norm0", x, eps)), c_out, 3, change, taps)
    if song:
        h = norm(w, name + ".norm1", h + linear(w, name + ".affine", e, c_out)[:, :, None, None], eps)
    else:
        told = linear(w, name + ".affine", e, 2 * c_out)[:, :, None, None]
        h = norm(w, name + ".norm1", h, eps) * (1 + told[:, :c_out]) + told[:, c_out:]
    h = convolution(w, name + ".conv1", F.silu(h), c_out, 3)
    if c_in != c_out or change is not None:
        x = convolution(w, name + ".skip", x, c_out, 1 if song or c_in != c_out else 0, change, taps)
    x = strength * (x + h)
    heads = 0 if not attends else 1 if song else c_out // 64
    if heads:
        n, c, height, width = x.shape
        qkv = convolution(w, name + ".qkv", norm(w, name + ".norm2", x, eps), 3 * c, 1)
        qkv = qkv.reshape(n, heads, c // heads, 3, height * width)
        q, k, v = (qkv[:, :, :, i].transpose(2, 3) for i in range(3))
        a = torch.softmax(q @ k.transpose(2, 3) / (c // heads) ** 0.5, dim=-1) @ v
        a = a.transpose(2, 3).reshape(n, c, height, width)
        x = strength * (x + convolution(w, name + ".proj", a, c, 1))
    return x


def embed(w, cfg, noise, classes):
    song, width = cfg["kind"] == "song", cfg["width"] * cfg["noise_mult"]
    e_width = cfg["width"] * cfg["emb_mult"]
    if song and cfg["embedding"] == "fourier":
        frequencies = 2 * np.pi * w("model.map_noise.freqs", width // 2, trained=False)
    else:
        half = width // 2
        frequencies = 10000.0 ** (-torch.arange(half, dtype=torch.float64, device=w.device) / (half - 1 if song else half))
    phase = noise[:, None] * frequencies
    e = torch.cat([phase.sin(), phase.cos()] if song else [phase.cos(), phase.sin()], dim=1)
    if cfg["augment"]:
        w("model.map_augment.weight", width, cfg["augment"])  # of labels that are zero
    if song and cfg["labels"]:
        e = e + linear(w, "model.map_label", classes * cfg["labels"] ** 0.5, width)
    e = linear(w, "model.map_layer1", F.silu(linear(w, "model.map_layer0", e, e_width)), e_width)
    if not song and cfg["labels"]:
        e = e + linear(w, "model.map_label", classes, e_width, bias=False)
    return F.silu(e)


def network(w, cfg, x, noise, classes, c_out):
    song, taps, levels = cfg["kind"] == "song", cfg["taps"], len(cfg["mult"])
    e = embed(w, cfg, noise, classes)
    side, skips = x, []
    for level, mult in enumerate(cfg["mult"]):
        size = cfg["size"] >> level
        at, width = f"model.enc.{size}x{size}_", cfg["width"] * mult
        if level == 0:
            x = convolution(w, at + "conv", x, cfg["width"] if song else width, 3)
        else:
            x = block(w, at + "down", x, e, x.shape[1], cfg, "down")
            if song and cfg["encoder"] == "skip":
                side = convolution(w, at + "aux_down", side, 0, 0, "down", taps)
                x = x + convolution(w, at + "aux_skip", side, x.shape[1], 1)
            if song and cfg["encoder"] == "residual":
                side = x = (x + convolution(w, at + "aux_residual", side, x.shape[1], 3, "down after", taps)) / 2**0.5
        skips.append(x)
        for i in range(cfg["blocks"]):
            x = block(w, f"{at}block{i}", x, e, width, cfg, attends=size in cfg["attention"])
            skips.append(x)
    image = None
    for level in reversed(range(levels)):
        size = cfg["size"] >> level
        at, width = f"model.dec.{size}x{size}_", cfg["width"] * cfg["mult"][level]
        if level == levels - 1:
            x = block(w, at + "in0", x, e, x.shape[1], cfg, attends=True)
            x = block(w, at + "in1", x, e, x.shape[1], cfg)
        else:
            x = block(w, at + "up", x, e, x.shape[1], cfg, "up")
        for i in range(cfg["blocks"] + 1):
            attends = size in cfg["attention"] and (not song or i == cfg["blocks"])
            x = block(w, f"{at}block{i}", torch.cat([x, skips.pop()], dim=1), e, width, cfg, attends=attends)
        if song and (cfg["decoder"] == "skip" or level == 0):
            if image is not None:
                image = convolution(w, at + "aux_up", image, 0, 0, "up", taps)
            read = convolution(w, at + "aux_conv", F.silu(norm(w, at + "aux_norm", x, 1e-6)), c_out, 3)
            image = read if image is None else read + image
    if song:
        return image
    return convolution(w, "model.out_conv", F.silu(norm(w, "model.out_norm", x, 1e-5)), c_out, 3)


def iddpm_levels(C_1, C_2, M):
    signal = lambda j: np.sin(0.5 * np.pi * j / (M * (C_2 + 1))) ** 2
    u = np.zeros(M + 1)
    for j in range(M, 0, -1):
        u[j - 1] = np.sqrt((u[j] ** 2 + 1) / max(signal(j - 1) / signal(j), C_1) - 1)
    return u


def factors(kind, constants, sigma):
    """c_skip, c_out, c_in, c_noise of table 1."""
    if kind == "edm":
        d = constants["sigma_data"]
        total = sigma**2 + d**2
        return d**2 / total, sigma * d / total**0.5, total**-0.5, np.log(sigma) / 4
    if kind == "ve":
        return 1.0, sigma, 1.0, np.log(sigma / 2)
    unit = (sigma**2 + 1) ** -0.5
    if kind == "vp":
        b, a, M = constants["beta_d"], constants["beta_min"], constants["M"]
        t = (np.sqrt(a**2 + 2 * b * np.log(sigma**2 + 1)) - a) / b
        return 1.0, -sigma, unit, (M - 1) * t
    j = np.abs(iddpm_levels(**constants) - sigma).argmin()
    return 1.0, -sigma, unit, float(constants["M"] - 1 - j)


def main(path):
    out = {}
    for case, cfg in CASES.items():
        kind, constants = cfg["precond"]
        shape = (2, cfg["image"], cfg["size"], cfg["size"])
        image, noise = (torch.from_numpy(v.astype(np.float32)).double()
                        for v in (0.5 * draw("image", shape), 3**0.5 * draw("noise", shape)))
        classes = None if cfg["classes"] is None else F.one_hot(torch.tensor(cfg["classes"]), cfg["labels"]).double()
        for i, sigma in enumerate(cfg["sigmas"]):
            w = Weights()
            c_skip, c_out, c_in, c_noise = factors(kind, constants, sigma)
            x = image + sigma * noise
            f = network(w, cfg, c_in * x, torch.full((2,), c_noise, dtype=torch.float64), classes,
                        cfg["image"] * (2 if kind == "iddpm" else 1))
            d = c_skip * x + c_out * f[:, : cfg["image"]]
            out[f"{case}.{i}.F"], out[f"{case}.{i}.D"] = f.numpy(), d.numpy()
            print(case, sigma, "F", f.std().item(), "D", d.std().item(), "x", x.std().item())
        if cfg["labels"]:
            zeros = torch.zeros(2, cfg["labels"], dtype=torch.float64)
            out[f"{case}.unlabelled"] = network(Weights(), cfg, c_in * x, torch.full((2,), c_noise, dtype=torch.float64),
                                                zeros, cfg["image"]).numpy()
        if kind == "iddpm":
            w.stored["u"] = (constants["M"] + 1,)
            out[f"{case}.u"] = iddpm_levels(**constants)
        out[f"{case}.sizes"] = sizes(w)
    for name, cfg in PUBLISHED.items():
        w = Weights("meta")
        x = torch.empty(1, cfg["image"], cfg["size"], cfg["size"], dtype=torch.float64, device="meta")
        classes = torch.empty(1, cfg["labels"], dtype=torch.float64, device="meta")
        network(w, cfg, x, torch.empty(1, dtype=torch.float64, device="meta"), classes, cfg["image"])
        out[f"{name}.sizes"] = sizes(w)
        print(name, out[f"{name}.sizes"])
    save_file(out, path)


def sizes(w):
    """Trained numbers, tensors, and stored numbers in all."""
    trained, stored = (sum(int(np.prod(s)) for s in group.values()) for group in (w.trained, w.stored))
    return np.array([trained, len(w.trained) + len(w.stored), trained + stored], dtype=np.int64)


if __name__ == "__main__":
    main(sys.argv[1])
