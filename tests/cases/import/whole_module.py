"""Writes `whole_module.pt`: the weights of `k11_base` as `torch.save(module)` lays them out.

Needs Python alone. Classes of the same names stand for those of PyTorch; the pickle names them only.
"""

import io
import json
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict


def module_of(name):
    """A module of this name, made if need be, with those around it."""
    made = sys.modules.setdefault(name, types.ModuleType(name))
    if "." in name:
        around, last = name.rsplit(".", 1)
        setattr(module_of(around), last, made)
    return made


def named(module, name, kind):
    """Makes a class or function of this name that pickle finds."""
    kind.__module__, kind.__qualname__, kind.__name__ = module, name, name
    setattr(module_of(module), name, kind)
    return kind


def rebuild_tensor(*_):
    pass


def rebuild_parameter(*_):
    pass


rebuild_tensor = named("torch._utils", "_rebuild_tensor_v2", rebuild_tensor)
rebuild_parameter = named("torch._utils", "_rebuild_parameter", rebuild_parameter)
FloatStorage = named("torch", "FloatStorage", type("FloatStorage", (), {}))
UNet = named("diffusers.models.unets.unet_2d", "UNet2DModel", type("UNet2DModel", (), {}))
Module = named("torch.nn.modules.module", "Module", type("Module", (), {}))


class Storage:
    """Bytes beside the pickle."""

    def __init__(self, key, elements):
        self.key, self.elements = key, elements


class Tensor:
    def __init__(self, storage, shape):
        self.storage, self.shape = storage, tuple(shape)

    def __reduce__(self):
        strides, stride = [], 1
        for length in reversed(self.shape):
            strides.insert(0, stride)
            stride *= length
        return rebuild_tensor, (self.storage, 0, self.shape, tuple(strides), False, OrderedDict())


class Parameter:
    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        return rebuild_parameter, (self.tensor, True, OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return "storage", FloatStorage, value.key, "cpu", value.elements
        return None


def empty(kind):
    """A module's attributes before it has parts."""
    module = kind()
    module.__dict__.update(
        training=False,
        _parameters=OrderedDict(),
        _buffers=OrderedDict(),
        _non_persistent_buffers_set=set(),
        _backward_hooks=OrderedDict(),
        _modules=OrderedDict(),
    )
    return module


def main():
    with open("k11_base/unet/diffusion_pytorch_model.safetensors", "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    root, storages = empty(UNet), []
    root.__dict__["_internal_dict"] = OrderedDict(sample_size=8, block_out_channels=(4,))
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        storage = Storage(str(len(storages)), (end - begin) // 4)
        storages.append(data[begin:end])
        module, *path = root, *name.split(".")
        for part in path[:-1]:
            module = module._modules.setdefault(part, empty(Module))
        module._parameters[path[-1]] = Parameter(Tensor(storage, entry["shape"]))
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(root)
    with zipfile.ZipFile("whole_module.pt", "w") as archive:
        def write(name, content):
            archive.writestr(zipfile.ZipInfo(f"whole_module/{name}"), content)

        write("data.pkl", buffer.getvalue())
        write("byteorder", "little")
        for key, content in enumerate(storages):
            write(f"data/{key}", content)
        write("version", "3\n")


main()
