"""A file written by the safetensors library, stored in safetensors_file.safetensors, and what is in it, in
safetensors_file.json, for the tests of src/train.

Run: python safetensors_file.py        (safetensors 0.8.0, numpy 2.4.6)
"""
import json

import numpy as np
from safetensors import TensorSpec, serialize_file

random = np.random.default_rng(7)
values = random.standard_normal((5, 3)).astype(np.float32)
special = np.array([0.0, -0.0, 1.5, -2.25, 65504.0, 6e-8, np.inf, -np.inf], np.float32)


def bfloat16(array):
    """The upper half of each float's bits, which is how the format stores them."""
    return (array.view(np.uint32) >> 16).astype(np.uint16)


tensors = {
    "z.float32": ("float32", values),
    "a.float16": ("float16", values.astype(np.float16)),
    "a.special": ("float16", special.astype(np.float16)),
    "m.bfloat16": ("bfloat16", bfloat16(values)),
    "scalar": ("float32", np.array(0.5, np.float32)),
    "ids": ("int64", np.arange(4)),
}
PATH = "safetensors_file.safetensors"
# The library puts tensors into an order of its own, whatever that of the mapping.
serialize_file({name: TensorSpec(dtype=dtype, shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes) for name, (dtype, array) in tensors.items()}, PATH, {"made_by": "the test"})

expected = {
    "z.float32": values,
    "a.float16": values.astype(np.float16).astype(np.float32),
    "m.bfloat16": (bfloat16(values).astype(np.uint32) << 16).view(np.float32),
    "scalar": np.array(0.5, np.float32),
}
with open("safetensors_file.json", "w") as file:
    json.dump({name: {"shape": array.shape, "values": array.ravel().tolist()} for name, array in expected.items()}, file, indent=1)
    file.write("\n")
