"""Makes guided.safetensors and guided.pt: the U-Net of improved-diffusion, guided-diffusion and consistency models.

    python guided_unet.py ../guided.safetensors ../guided.pt

The network is written here from the papers (arXiv:2102.09672, arXiv:2105.05233, arXiv:2303.01469) and from the names
and shapes in the published files, as functions that make a tensor when they first need one, and runs in float64.
Weights are not stored. Every value follows from its name and place, rounded to float32:
    phase = sum(bytes of the name);   wave(k) = sin(12.9898 k + 0.61803 phase)
    biases 0.1 wave, other vectors 1 + 0.2 wave, all others 1.2 / sqrt(fan in) * wave,
    those of the last layer 0.25 / sqrt(fan in) * wave, so that answers are of order one
Inputs are 1.5 * wave of the name "z". guided.pt holds such weights in half precision, with one block twice.
"""
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

torch.set_num_threads(1)

CASES = {
    # table index scaled to 1000, heads within one matrix, other heads on the way up, convolutions change the size
    "improved": dict(image_size=8, num_channels=32, num_res_blocks=2, channel_mult=[1, 2, 2],
                     attention_resolutions=[4], num_heads=2, num_heads_upsample=4, learn_sigma=True),
    # classes, scale and shift, blocks change the size, heads by their width, a factor below one
    "guided": dict(image_size=8, image_channels=1, num_channels=64, num_res_blocks=1, channel_mult=[0.5, 1],
                   attention_resolutions=[8, 4], num_heads=1, num_head_channels=16, use_scale_shift_norm=True,
                   resblock_updown=True, num_classes=5, learn_sigma=True),
    # queries, keys and values one after the other
    "consistency": dict(image_size=8, num_channels=32, num_res_blocks=1, channel_mult=[1, 2],
                        attention_resolutions=[4], num_heads=4, use_scale_shift_norm=True, resblock_updown=True,
                        use_new_attention_order=True, num_classes=3),
    # averages and repetition
    "bare": dict(image_size=8, num_channels=32, num_res_blocks=1, channel_mult=[1, 1], attention_resolutions=[],
                 num_heads=1, conv_resample=False),
    # the file
    "file": dict(image_size=4, image_channels=1, num_channels=32, num_res_blocks=1, channel_mult=[1],
                 attention_resolutions=[], num_heads=2),
}
DEFAULTS = dict(image_channels=3, num_head_channels=None, num_heads_upsample=None, use_scale_shift_norm=False,
                resblock_updown=False, conv_resample=True, use_new_attention_order=False, num_classes=0,
                learn_sigma=False)
TIMES = {"improved": [999.0, 12.25], "guided": [0.0, 700.5], "consistency": [-1553.5, 1095.5], "bare": [250.0],
         "file": [431.0]}
LABELS = {"guided": [4, 0], "consistency": [2, 1]}


def wave(name, shape):
    k = np.arange(math.prod(shape), dtype=np.float64)
    return np.sin(12.9898 * k + 0.61803 * sum(name.encode())).reshape(shape)


def recipe(name, shape):
    if name.endswith(".bias"):
        value = 0.1 * wave(name, shape)
    elif len(shape) == 1:
        value = 1.0 + 0.2 * wave(name, shape)
    else:
        gain = 0.25 if name == "out.2.weight" else 1.2
        value = gain / math.sqrt(math.prod(shape[1:])) * wave(name, shape)
    return torch.from_numpy(value.astype(np.float32)).double()


class Weights(dict):
    """Tensors by name, made on first use."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def get(self, name, *shape):
        if name not in self:
            self[name] = self.make(name, shape)
        assert tuple(self[name].shape) == shape
        return self[name]

    def linear(self, name, x, out):
        return F.linear(x, self.get(name + ".weight", out, x.shape[-1]), self.get(name + ".bias", out))

    def conv(self, name, x, out, k=3, stride=1):
        weight = self.get(name + ".weight", out, x.shape[1], k, k)
        return F.conv2d(x, weight, self.get(name + ".bias", out), stride=stride, padding=k // 2)

    def conv1d(self, name, x, out):
        return F.conv1d(x, self.get(name + ".weight", out, x.shape[1], 1), self.get(name + ".bias", out))

    def norm(self, name, x):
        c = x.shape[1]
        return F.group_norm(x, 32, self.get(name + ".weight", c), self.get(name + ".bias", c), 1e-5)


def attend(w, name, x, heads, new_order):
    b, c, *size = x.shape
    qkv = w.conv1d(name + ".qkv", w.norm(name + ".norm", x).reshape(b, c, -1), 3 * c)
    d = c // heads
    if new_order:
        q, k, v = qkv.reshape(b, 3, heads, d, -1).unbind(1)
    else:
        q, k, v = qkv.reshape(b, heads, 3, d, -1).unbind(2)
    share = torch.softmax(torch.einsum("bhdi,bhdj->bhij", q, k) / math.sqrt(d), dim=-1)
    mixed = torch.einsum("bhij,bhdj->bhdi", share, v).reshape(b, c, -1)
    return x + w.conv1d(name + ".proj_out", mixed, c).reshape(b, c, *size)


def resize(x, change):
    if change == "down":
        return F.avg_pool2d(x, 2)
    return F.interpolate(x, scale_factor=2, mode="nearest") if change == "up" else x


def block(w, name, x, e, out, scale_shift, change=None):
    h = resize(F.silu(w.norm(name + ".in_layers.0", x)), change)
    h = w.conv(name + ".in_layers.2", h, out)
    told = w.linear(name + ".emb_layers.1", F.silu(e), 2 * out if scale_shift else out)[:, :, None, None]
    if scale_shift:
        scale, shift = told.chunk(2, dim=1)
        h = w.norm(name + ".out_layers.0", h) * (1 + scale) + shift
    else:
        h = w.norm(name + ".out_layers.0", h + told)
    h = w.conv(name + ".out_layers.3", F.silu(h), out)
    x = resize(x, change)
    return h + (x if x.shape[1] == out else w.conv(name + ".skip_connection", x, out, k=1))


def network(w, flags, x, times, labels=None):
    f = {**DEFAULTS, **flags}
    base, scale_shift = f["num_channels"], f["use_scale_shift_norm"]
    widths = [int(m * base) for m in f["channel_mult"]]
    rates = torch.exp(-math.log(10000) * torch.arange(base // 2, dtype=torch.float64) / (base // 2))
    phase = torch.as_tensor(times, dtype=torch.float64).reshape(-1, 1) * rates
    row = torch.cat([phase.cos(), phase.sin()], dim=1).to(x.device)
    e = w.linear("time_embed.2", F.silu(w.linear("time_embed.0", row, 4 * base)), 4 * base)
    if f["num_classes"]:
        e = e + w.get("label_emb.weight", f["num_classes"], 4 * base)[torch.as_tensor(labels)]

    def attention(name, h, heads):
        if f["num_head_channels"]:
            heads = h.shape[1] // f["num_head_channels"]
        return attend(w, name, h, heads, f["use_new_attention_order"])

    h = w.conv("input_blocks.0.0", x, widths[0])
    kept, n = [h], 1
    for level, width in enumerate(widths):
        for _ in range(f["num_res_blocks"]):
            h = block(w, f"input_blocks.{n}.0", h, e, width, scale_shift)
            if h.shape[-1] in f["attention_resolutions"]:
                h = attention(f"input_blocks.{n}.1", h, f["num_heads"])
            kept.append(h)
            n += 1
        if level < len(widths) - 1:
            if f["resblock_updown"]:
                h = block(w, f"input_blocks.{n}.0", h, e, width, scale_shift, "down")
            elif f["conv_resample"]:
                h = w.conv(f"input_blocks.{n}.0.op", h, width, stride=2)
            else:
                h = resize(h, "down")
            kept.append(h)
            n += 1
    h = block(w, "middle_block.0", h, e, widths[-1], scale_shift)
    h = attention("middle_block.1", h, f["num_heads"])
    h = block(w, "middle_block.2", h, e, widths[-1], scale_shift)
    n = 0
    for level in reversed(range(len(widths))):
        for i in range(f["num_res_blocks"] + 1):
            part = 1
            h = block(w, f"output_blocks.{n}.0", torch.cat([h, kept.pop()], dim=1), e, widths[level], scale_shift)
            if h.shape[-1] in f["attention_resolutions"]:
                h = attention(f"output_blocks.{n}.{part}", h, f["num_heads_upsample"] or f["num_heads"])
                part += 1
            if level > 0 and i == f["num_res_blocks"]:
                if f["resblock_updown"]:
                    h = block(w, f"output_blocks.{n}.{part}", h, e, widths[level], scale_shift, "up")
                else:
                    h = resize(h, "up")
                    if f["conv_resample"]:
                        h = w.conv(f"output_blocks.{n}.{part}.conv", h, widths[level])
            n += 1
    c = f["image_channels"]
    return w.conv("out.2", F.silu(w.norm("out.0", h)), 2 * c if f["learn_sigma"] else c)[:, :c]


def count(flags):
    """Parameters of a network, without its values."""
    w = Weights(lambda _, shape: torch.empty(shape, device="meta", dtype=torch.float64))
    size = flags["image_size"]
    x = torch.empty(1, 3, size, size, device="meta", dtype=torch.float64)
    network(w, flags, x, [0.0], torch.zeros(1, dtype=torch.long, device="meta"))
    return sum(t.numel() for t in w.values())


def stored(tensor):
    # safetensors takes the memory of an array as it lies.
    return np.ascontiguousarray(tensor.numpy())


out = {}
for case, flags in CASES.items():
    w = Weights(recipe)
    if case == "file":
        # Half precision, and the second block of the middle is the first one.
        w.make = lambda name, shape: recipe(name.replace("middle_block.2", "middle_block.0"), shape).half().double()
    c, s = flags.get("image_channels", 3), flags["image_size"]
    z = torch.from_numpy((1.5 * wave("z", (2, c, s, s))).astype(np.float32)).double()
    answer = network(w, flags, z, TIMES[case], LABELS.get(case))
    out[f"{case}.answer"] = stored(answer)
    print(case, sum(t.numel() for t in w.values()), float(answer.abs().mean()))
    if case == "file":
        halves = {name: t.half() for name, t in w.items() if not name.startswith("middle_block.2")}
        halves.update({name: halves[name.replace("middle_block.2", "middle_block.0")]
                       for name in w if name.startswith("middle_block.2")})
        torch.save({name: halves[name] for name in w}, sys.argv[2])
    if case == "consistency":
        # The consistency function: sigma_data 0.5, sigma_min 0.002, at two levels.
        for level, sigma in [("low", 0.1), ("high", 20.0)]:
            root = math.sqrt(sigma**2 + 0.25)
            inner = network(w, flags, z * sigma / root, [250 * math.log(sigma + 1e-44)], LABELS[case])
            skip, gain = 0.25 / ((sigma - 0.002)**2 + 0.25), (sigma - 0.002) * 0.5 / root
            out[f"{case}.{level}"] = stored(skip * z * sigma + gain * inner)
save_file(out, sys.argv[1])

adm = dict(image_size=64, num_channels=192, num_res_blocks=3, channel_mult=[1, 2, 3, 4],
           attention_resolutions=[32, 16, 8], num_heads=4, num_head_channels=64, use_scale_shift_norm=True,
           resblock_updown=True, num_classes=1000, learn_sigma=True)
improved = dict(image_size=32, num_channels=128, num_res_blocks=3, channel_mult=[1, 2, 2, 2],
                attention_resolutions=[16, 8], num_heads=4, use_scale_shift_norm=True, learn_sigma=True)
large = dict(image_size=512, num_channels=256, num_res_blocks=2, channel_mult=[0.5, 1, 1, 2, 2, 4, 4],
             attention_resolutions=[32, 16, 8], num_heads=4, num_head_channels=64, use_scale_shift_norm=True,
             resblock_updown=True, num_classes=1000, learn_sigma=True)
print("ImageNet-64", count(adm), "ImageNet-512", count(large), "improved CIFAR-10", count(improved))
