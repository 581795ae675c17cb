"""Reads safetensors files without a package for it."""
import json
import struct

import torch

DTYPES = {"F32": torch.float32, "I32": torch.int32}


def read_tensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=DTYPES[entry["dtype"]], offset=start, count=(end - start) // 4)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors
