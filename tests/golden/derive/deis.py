"""Writes tests/golden/deis.json: trajectories of diffusers' DEISMultistepScheduler in float64.

    python tests/golden/derive/deis.py

Needs diffusers, torch and NumPy. The scheduler computes its constants in float32; while it runs,
`float32` in its module is read as `float64`, so that what is compared is the algorithm. The model and
the noise are those of solvers.safetensors: a fixed formula of the state and the table index.
"""

import json
import math
import sys
from pathlib import Path

import diffusers
import torch
from safetensors.torch import load_file

GOLDEN = Path(__file__).resolve().parent.parent
TABLE = dict(beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
CASES = {
    "deis_1": (10, dict(solver_order=1)),
    "deis_2": (10, dict(solver_order=2)),
    "deis_3": (10, dict(solver_order=3)),
    "deis_3_20": (20, dict(solver_order=3)),
}


class Wide:
    """Stands for a module, with float32 read as float64."""

    def __init__(self, module, wide):
        self.module, self.float32 = module, wide

    def __getattr__(self, name):
        return getattr(self.module, name)


def toy(x, index):
    tau = (index + 1) / 1000
    variance = -math.expm1(-(0.1 * tau + 9.95 * tau * tau))
    gain = math.sqrt(variance) / (0.25 * (1 - variance) + variance)
    return gain * x + 0.1 * torch.sin(3 * x + index / 100)


def run(steps, options, z):
    module = sys.modules[diffusers.DEISMultistepScheduler.__module__]
    kept = module.torch, module.np
    module.torch, module.np = Wide(module.torch, torch.float64), Wide(module.np, module.np.float64)
    try:
        scheduler = diffusers.DEISMultistepScheduler(**TABLE, **options)
        scheduler.set_timesteps(steps)
        states, indices = [z], []
        for index in scheduler.timesteps.tolist():
            indices.append(index)
            states.append(scheduler.step(toy(states[-1], index), index, states[-1]).prev_sample)
        assert states[-1].dtype == torch.float64
        return dict(
            options=options,
            indices=indices,
            sigmas=scheduler.sigmas.tolist(),
            states=[state.ravel().tolist() for state in states],
        )
    finally:
        module.torch, module.np = kept


z = load_file(GOLDEN / "solvers.safetensors")["z"].double()
cases = {name: run(steps, options, z) for name, (steps, options) in CASES.items()}
text = json.dumps(dict(diffusers=diffusers.__version__, table=TABLE, cases=cases))
(GOLDEN / "deis.json").write_text(text + "\n")
