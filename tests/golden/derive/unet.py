"""Makes unet.safetensors: outputs of a PyTorch reading of the DSNO network, in float64.

    PYTHONPATH=DIR_OF_dsno_ref.py python unet.py unet.safetensors

Weights are not stored. Every value follows from its parameter's name in the authors' numbering and from its place:
    phase = sum(bytes of the name);   wave(k) = sin(12.9898 k + 0.61803 phase)
    GroupNorm weights 1 + 0.2 wave, biases 0.1 wave, all others 1.2 / sqrt(fan in) * wave
Inputs are waves too, with the names "z", "target" and a scale of 1.5.
"""
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

import dsno_ref as R

CASES = {
    # colour, attention everywhere, several heads by their width, classes, three modes at five times
    "conditional": dict(cfg=dict(image_size=8, channels=3, nf=32, temb_dim=48, ch_mult=(1, 3), num_res_blocks=2,
                                 attn_resolutions=(8, 4), head_dim=16, num_classes=5, modes=3),
                        log_snr=[-6.0, -2.0, 0.5, 4.0, 20.0], labels=[1, 4]),
    # grey, three levels, two heads, the answer taken from the noise
    "grey": dict(cfg=dict(image_size=8, channels=1, nf=32, temb_dim=40, ch_mult=(1, 1, 2), num_res_blocks=1,
                          attn_resolutions=(4,), num_heads=2, modes=3, subtract_from_noise=True),
                 log_snr=[-2.0, 0.0, 2.0, 9.0], labels=None),
    # a teacher: no temporal convolutions, another noise level for each sample, one of them beyond the range
    "teacher": dict(cfg=dict(image_size=8, channels=3, nf=32, temb_dim=64, ch_mult=(1, 2), num_res_blocks=1,
                             attn_resolutions=(4,), num_classes=4, time_conv=False),
                    log_snr=[[-25.0], [3.0]], labels=[0, 3]),
}


def wave(name, shape):
    k = np.arange(int(np.prod(shape)), dtype=np.float64)
    return np.sin(12.9898 * k + 0.61803 * sum(name.encode())).reshape(shape)


def weight(name, shape):
    leaf = name.rsplit(".", 2)[1:]
    if leaf[-1] in ("bias", "b"):
        return 0.1 * wave(name, shape)
    if "GroupNorm" in name or len(shape) == 1:
        return 1.0 + 0.2 * wave(name, shape)
    if leaf[-1] == "W" or leaf[-1] == "weights1":
        fan_in = shape[0]
    else:
        fan_in = int(np.prod(shape[1:]))
    return 1.2 / np.sqrt(fan_in) * wave(name, shape)


out = {}
for case, spec in CASES.items():
    net = R.DSNO(R.DSNOConfig(**spec["cfg"])).double()
    net.load_state_dict({n: torch.from_numpy(weight(n, tuple(p.shape)).astype(np.float32)).double()
                         for n, p in net.state_dict().items()})
    log_snr = torch.tensor(spec["log_snr"], dtype=torch.float64)
    c, s = spec["cfg"]["channels"], spec["cfg"]["image_size"]
    z = torch.from_numpy((1.5 * wave("z", (2, c, s, s))).astype(np.float32)).double().requires_grad_(True)
    y = None if spec["labels"] is None else torch.tensor(spec["labels"])
    answer = net(z, log_snr, y)
    target = torch.from_numpy((1.5 * wave("target", tuple(answer.shape))).astype(np.float32)).double()
    loss = (answer - target).abs().mean()
    loss.backward()
    out[f"{case}.answer"] = answer.detach().numpy()
    out[f"{case}.loss"] = np.array([loss.item()])
    out[f"{case}.gradient.z"] = z.grad.numpy()
    # Of each parameter's gradient: its sum and its root of squares, which fix a wrong one well enough.
    for n, p in net.named_parameters():
        g = p.grad if p.grad is not None else torch.zeros_like(p)
        out[f"{case}.gradient.{n}"] = np.array([g.sum().item(), g.square().sum().sqrt().item()])
    print(case, float(answer.detach().abs().mean()), loss.item())
save_file(out, sys.argv[1])
