"""Infer calls that the test has written, as numpy arrays, and how what came back is told to it."""

import json
import sys

import numpy as np

DTYPES = {"BYTES": np.object_, "FP64": np.float64, "FP32": np.float32, "INT64": np.int64, "INT32": np.int32, "BOOL": np.bool_}


def read_cases(path):
    """Each case: its model, its id, and (name, datatype, array) of its inputs."""
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)
    return [(case["model"], case["id"], [(t["name"], t["datatype"], np.array(t["data"], dtype=DTYPES[t["datatype"]]).reshape(t["shape"])) for t in case["tensors"]]) for case in cases]


def tell(answers):
    """Scores by way, case and output: lists of numbers."""
    json.dump({way: [{name: scores.astype(float).tolist() for name, scores in answer.items()} for answer in case] for way, case in answers.items()}, sys.stdout)
