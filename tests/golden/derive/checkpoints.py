"""Makes tests/golden/checkpoints and the seeds of tests/fuzz/corpus: one small file for each way that a format has.

    python checkpoints.py GOLDEN_DIR CORPUS_DIR

Needs torch, flax, safetensors and numpy. Values are multiples of 1/16 in [-8, 8), which every float type holds exactly;
they follow from a tensor's name and place:  value(k) = ((k + sum of the name's bytes) mod 256 - 128) / 16.
`NAME.expected.safetensors` holds what must be read from the files whose names begin with NAME, contiguous and in float32.
"""
import argparse
import collections
import io
import os
import struct
import sys
import zipfile

import flax
import jax.numpy as jnp
import numpy as np
import torch
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file as save_torch

torch.set_num_threads(1)
GOLDEN, CORPUS = sys.argv[1:3]


def wave(name, *shape):
    k = np.arange(int(np.prod(shape)), dtype=np.int64)
    return (((k + sum(name.encode())) % 256 - 128) / 16).reshape(shape)


def of_torch(name, *shape, dtype=torch.float32):
    return torch.from_numpy(wave(name, *shape)).to(dtype)


def without_checksums(data):
    """The same archive with all checksums 0, which means none."""
    data = bytearray(data)
    for info in zipfile.ZipFile(io.BytesIO(bytes(data))).infolist():
        data[info.header_offset + 14:info.header_offset + 18] = bytes(4)
    at = data.find(b"PK\1\2")
    while at >= 0:
        data[at + 16:at + 20] = bytes(4)
        at = data.find(b"PK\1\2", at + 1)
    return bytes(data)


def deflated(data):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            # A fixed date, so that the file is the same each time.
            new.writestr(zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0)), old.read(info), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def saved(value, **options):
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


def tensors(value, path=()):
    """Every tensor below a value, by the names that the reader gives."""
    if isinstance(value, torch.Tensor):
        yield ".".join(path), value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from tensors(below, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for place, below in enumerate(value):
            yield from tensors(below, (*path, str(place)))
    elif isinstance(value, argparse.Namespace):
        yield from tensors(vars(value), path)


def store(directory, name, data):
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data)


class Code:
    """Runs a command when it is unpickled by a reader that runs what it reads."""

    def __reduce__(self):
        return os.system, ("touch pickled-code-was-run",)


# PyTorch: a training checkpoint of the usual layout, and every kind of tensor.
base = of_torch("base", 4, 6)
shared = of_torch("shared", 10)
layer = torch.nn.Linear(3, 2)
with torch.no_grad():
    layer.weight.copy_(of_torch("layer.weight", 2, 3))
    layer.bias.copy_(of_torch("layer.bias", 2))
optimiser = torch.optim.Adam(layer.parameters(), lr=1e-3)
layer(torch.ones(1, 3)).sum().backward()
optimiser.step()
state = layer.state_dict()
checkpoint = {
    "model": state,
    "ema": collections.OrderedDict((name, torch.nn.Parameter(value / 2)) for name, value in state.items()),
    "args": argparse.Namespace(lr=1e-3, sizes=[1, 2, 3], note="été", extra=of_torch("extra", 2)),
    "optim": optimiser.state_dict(),
    "scheduler": {"milestones": collections.Counter([3, 5]), "last": -1, "big": 2**70, "flags": (True, None)},
    "kinds": {
        "half": of_torch("half", 5, dtype=torch.float16),
        "bfloat16": of_torch("bfloat16", 5, dtype=torch.bfloat16),
        "double": torch.tensor([1 / 3, -2.5, 1e300], dtype=torch.float64),
        "int": torch.arange(3),
        "bool": torch.tensor([True, False]),
        "transposed": base.t(),
        "permuted": of_torch("permuted", 2, 3, 4).permute(2, 0, 1),
        "columns": base[:, 1:4],
        "rows": base[2:],
        "every_second": shared[1::2],
        "shared": shared,
        "expanded": of_torch("expanded", 3, 1).expand(3, 4),
        "overlapping": shared.as_strided((3, 4), (2, 1), 1),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "empty_view": base[:, 6:],
        "one": base[1:2, 2:3],
    },
    "nested": [of_torch("nested.0", 2), (of_torch("nested.1.0", 1),)],
}
torch.manual_seed(0)
store(GOLDEN, "torch-zip.pt", saved(checkpoint))
store(GOLDEN, "torch-zip-protocol-4.pt", saved(checkpoint, pickle_protocol=4))
store(GOLDEN, "torch-zip-deflated.pt", deflated(saved(checkpoint)))
store(GOLDEN, "torch-stream.pt", saved(checkpoint, _use_new_zipfile_serialization=False))
store(GOLDEN, "torch-stream-protocol-4.pt", saved(checkpoint, _use_new_zipfile_serialization=False, pickle_protocol=4))
expected = {name: value.detach().to(torch.float32).contiguous().clone() for name, value in tensors(checkpoint)
            if value.is_floating_point()}
save_torch(expected, os.path.join(GOLDEN, "torch.expected.safetensors"))
store(GOLDEN, "code.pt", saved({"code": Code(), "weight": of_torch("weight", 2)}))

# Safetensors: types, an empty tensor, a scalar, metadata.
mixed = {
    "f64": of_torch("f64", 2, 2, dtype=torch.float64),
    "f32": of_torch("f32", 3),
    "f16": of_torch("f16", 3, dtype=torch.float16),
    "bf16": of_torch("bf16", 2, dtype=torch.bfloat16),
    "i64": torch.arange(2),
    "scalar": torch.tensor(0.5),
    "empty": torch.zeros(2, 0),
}
save_torch(mixed, os.path.join(GOLDEN, "mixed.safetensors"), metadata={"format": "pt"})
expected = {name: value.to(torch.float32) for name, value in mixed.items() if value.is_floating_point()}
save_torch(expected, os.path.join(GOLDEN, "mixed.expected.safetensors"))

# Flax: nested maps, a list, types, scalars, and an array in pieces.
tree = {
    "step": 7,
    "rate": 0.5,
    "none": None,
    "complex": 1 + 2j,
    "scalar": np.float32(1.5),
    "ema_params": {
        "down_0.block_0": {"conv1": {"kernel": wave("kernel", 3, 3, 2, 4).astype(np.float32),
                                     "bias": wave("bias", 4).astype(np.float32)}},
        "half": wave("half", 3).astype(np.float16),
        "bfloat16": jnp.asarray(wave("bfloat16", 3), dtype=jnp.bfloat16),
        "double": np.array([1 / 3, 1e-300]),
        "int": np.arange(3),
        "empty": np.zeros((0, 2), np.float32),
        "long": wave("long", 5, 9).astype(np.float32),
    },
    "list": [wave("list", 2).astype(np.float32)],
}
flax.serialization.MAX_CHUNK_SIZE = 100
store(GOLDEN, "flax.msgpack", flax.serialization.to_bytes(tree))
flat = flax.traverse_util.flatten_dict(flax.serialization.to_state_dict(tree), sep="/")
expected = {name: np.asarray(value, np.float32) for name, value in flat.items()
            if isinstance(value, (np.ndarray, jnp.ndarray, np.generic)) and "int" not in name}
save_numpy(expected, os.path.join(GOLDEN, "flax.expected.safetensors"))

# Seeds for fuzzing: as small as they can be. Archives carry no checksums, so that changed bytes are read.
seeds = {
    "tiny": {"a": of_torch("a", 2, 3).t(), "b": [torch.tensor(1.0, dtype=torch.float16)]},
    "rich": {"model": collections.OrderedDict(w=torch.nn.Parameter(shared[1::2])), "t": (shared,), "n": {1: -1, "x": 2**70},
             "args": argparse.Namespace(a=None, b=[True, 0.5, "c"], c=collections.Counter("ab"))},
    "dtype": {"u": torch.tensor([1, 2], dtype=torch.uint16), "v": torch.zeros(0)},
}
for name, value in seeds.items():
    store(os.path.join(CORPUS, "torch"), f"{name}.pt", without_checksums(saved(value)))
    store(os.path.join(CORPUS, "torch"), f"{name}-4.pt", without_checksums(saved(value, pickle_protocol=4)))
    store(os.path.join(CORPUS, "torch"), f"{name}-stream.pt", saved(value, _use_new_zipfile_serialization=False))
store(os.path.join(CORPUS, "torch"), "tiny-deflated.pt", without_checksums(deflated(saved(seeds["tiny"]))))
store(os.path.join(CORPUS, "torch"), "tiny-checked.pt", saved(seeds["tiny"]))
save_torch({"a": of_torch("a", 2, 2), "b": torch.zeros(0)}, os.path.join(CORPUS, "safetensors", "tiny.safetensors"))
save_torch({name: value for name, value in mixed.items() if value.numel()},
           os.path.join(CORPUS, "safetensors", "mixed.safetensors"), metadata={"a": "b"})
store(os.path.join(CORPUS, "safetensors"), "none.safetensors", struct.pack("<Q", 2) + b"{}")
tiny = {"p": {"w": wave("w", 2, 2).astype(np.float32), "n": 1}, "l": [np.float16(1)]}
store(os.path.join(CORPUS, "flax"), "tiny.msgpack", flax.serialization.to_bytes(tiny))
flax.serialization.MAX_CHUNK_SIZE = 8
pieces = {"w": wave("w", 2, 2).astype(np.float32), "c": 1j, "s": "text", "b": b"bytes", "x": [None, True, -3, 2**40, 1e9]}
store(os.path.join(CORPUS, "flax"), "pieces.msgpack", flax.serialization.msgpack_serialize(pieces))
