"""Makes diffusers.safetensors, diffusers.json and the model folder diffusers/: answers of diffusers' own UNet2DModel.

    python diffusers_unet.py ../diffusers.safetensors ../diffusers.json ../diffusers

Made with diffusers 0.42.1 and PyTorch 2.15, in float64 but for the time embedding, which the library computes in
float32. Weights are not stored. Every value follows from its name and place, rounded to float32:
    phase = sum(bytes of the name);   wave(k) = sin(12.9898 k + 0.61803 phase)
    biases 0.1 wave, other vectors 1 + 0.2 wave, all others 1.2 / sqrt(fan in) * wave,
    those of the last layer 0.25 / sqrt(fan in) * wave, so that answers are of order one
Inputs are 1.5 * wave of the names "z" and "vectors". The folder holds such weights, as the library saves them.
"""
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from safetensors.numpy import save_file

torch.set_num_threads(1)

DDPM = dict(beta_schedule="linear", beta_start=1e-4, beta_end=0.02)
CASES = {
    # the layout of google/ddpm-cifar10-32
    "ddpm": dict(
        config=dict(sample_size=8, block_out_channels=(8, 8, 12), layers_per_block=2, norm_num_groups=4,
                    down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), attention_head_dim=None,
                    downsample_padding=0, flip_sin_to_cos=False, freq_shift=1, norm_eps=1e-6),
        scheduler=DDPM, times=[999.0, 12.0]),
    # classes; blocks change the size; scale and shift; no normalisation before the attention in the middle
    "labels": dict(
        config=dict(sample_size=8, out_channels=6, block_out_channels=(16, 16, 32), layers_per_block=1,
                    down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
                    up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"),
                    downsample_type="resnet", upsample_type="resnet", resnet_time_scale_shift="scale_shift",
                    attention_head_dim=4, norm_num_groups=8, num_class_embeds=5, center_input_sample=True,
                    mid_block_scale_factor=math.sqrt(2), time_embedding_dim=24),
        scheduler=dict(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", num_train_timesteps=400),
        times=[0.0, 377.0], labels=[4, 0]),
    # labels as numbers, an embedding of odd width, groups of its own in the middle
    "numbers": dict(
        config=dict(sample_size=4, in_channels=1, out_channels=1, block_out_channels=(9, 12), layers_per_block=1,
                    down_block_types=("AttnDownBlock2D", "AttnDownBlock2D"),
                    up_block_types=("AttnUpBlock2D", "AttnUpBlock2D"), attention_head_dim=3, norm_num_groups=3,
                    attn_norm_num_groups=6, resnet_time_scale_shift="scale_shift", class_embed_type="timestep",
                    act_fn="swish", dropout=0.1),
        scheduler=dict(trained_betas=[0.0004 * (i + 1) for i in range(40)], prediction_type="sample",
                       num_train_timesteps=40),
        times=[3.0, 31.0], labels=[7, 250]),
    # conditions as vectors, no attention in the middle
    "vectors": dict(
        config=dict(sample_size=4, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=2,
                    down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
                    class_embed_type="identity", add_attention=False),
        scheduler=dict(beta_schedule="sigmoid"), times=[600.0]),
    # no middle
    "bare": dict(
        config=dict(sample_size=4, block_out_channels=(8,), layers_per_block=1, norm_num_groups=2,
                    down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), mid_block_type=None),
        scheduler=dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012), times=[77.0]),
}


def wave(name, shape):
    k = np.arange(math.prod(shape), dtype=np.float64)
    return np.sin(12.9898 * k + 0.61803 * sum(name.encode())).reshape(shape)


def recipe(name, shape):
    if name.endswith(".bias"):
        value = 0.1 * wave(name, shape)
    elif len(shape) == 1:
        value = 1.0 + 0.2 * wave(name, shape)
    else:
        gain = 0.25 if name == "conv_out.weight" else 1.2
        value = gain / math.sqrt(math.prod(shape[1:])) * wave(name, shape)
    return torch.from_numpy(value.astype(np.float32))


def plain(config):
    """The keys that a config.json has, without those of the library itself."""
    return {key: value for key, value in dict(config).items() if not key.startswith("_")}


def stored(tensor):
    # safetensors takes the memory of an array as it lies.
    return np.ascontiguousarray(tensor.numpy())


out, configs = {}, {}
for case, spec in CASES.items():
    net = UNet2DModel(**spec["config"]).eval()
    net.load_state_dict({name: recipe(name, tuple(value.shape)) for name, value in net.state_dict().items()})
    scheduler = DDPMScheduler(clip_sample=False, **{**DDPM, **spec["scheduler"]})
    configs[case] = {"config": plain(net.config), "scheduler": plain(scheduler.config),
                     "parameters": sum(p.numel() for p in net.parameters())}
    if case == "ddpm":
        net.save_pretrained(sys.argv[3])
        scheduler.save_pretrained(sys.argv[3])
        for path in Path(sys.argv[3]).glob("*.json"):
            path.write_text(path.read_text().rstrip() + "\n")
    net = net.double()
    # The library converts times to the type of the weights, and forgets labels.
    net.time_proj.register_forward_hook(lambda module, inputs, output: output.double())
    c, s = net.config.in_channels, net.config.sample_size
    z = torch.from_numpy((1.5 * wave("z", (2, c, s, s))).astype(np.float32)).double()
    condition = None
    if "labels" in spec:
        condition = torch.tensor(spec["labels"])
    if case == "vectors":
        condition = torch.from_numpy((1.5 * wave("vectors", (2, 4 * 8))).astype(np.float32)).double()
    times = torch.tensor(spec["times"], dtype=torch.float64).expand(2)
    with torch.no_grad():
        answer = net(z, times, condition).sample[:, :c]
        out[f"{case}.answer"] = stored(answer)
        # The image that the library's own scheduler reads out of the answer, at an entry of its table.
        index = scheduler.config.num_train_timesteps // 3
        answer = net(z, index, condition).sample[:, :c]
        # It keeps the table in float32 otherwise.
        scheduler.alphas_cumprod = torch.cumprod(1 - scheduler.betas.double(), dim=0)
        out[f"{case}.image"] = stored(scheduler.step(answer, index, z).pred_original_sample)
        if case == "ddpm":
            # Four steps of the library's DDIM over the whole table, to the image.
            ddim = DDIMScheduler(clip_sample=False, timestep_spacing="trailing", **DDPM)
            ddim.alphas_cumprod, ddim.final_alpha_cumprod = scheduler.alphas_cumprod, torch.ones((), dtype=torch.float64)
            ddim.set_timesteps(4)
            state = z
            for time in ddim.timesteps:
                state = ddim.step(net(state, time).sample, time, state).prev_sample
            out["ddpm.ddim"] = stored(state)
    print(case, configs[case]["parameters"], float(answer.abs().mean()))
save_file(out, sys.argv[1])
Path(sys.argv[2]).write_text(json.dumps(configs, indent=1) + "\n")

with torch.device("meta"):
    cifar10 = UNet2DModel(
        sample_size=32, block_out_channels=(128, 256, 256, 256), layers_per_block=2, attention_head_dim=None,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        downsample_padding=0, flip_sin_to_cos=False, freq_shift=1, norm_eps=1e-6)
print("google/ddpm-cifar10-32", sum(p.numel() for p in cifar10.parameters()))
