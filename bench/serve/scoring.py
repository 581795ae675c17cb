"""An export as the Python servers of the benchmark hold it: raw features encoded in Python, scored by onnxruntime or by PyTorch."""
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "ebnerd"))
from score_exports import encode_number, row_finder  # noqa: E402


class Encoder:
    """Encoded inputs `[1, ...]` of a request and `[candidates, ...]` of its candidates; tables are made once."""

    def __init__(self, folder, manifest):
        encoders = json.loads((folder / "encoders.json").read_text())
        tables = {table["name"]: table for table in encoders["tables"]}
        self.wanted = {entry["name"]: entry["shape"][0] for entry in manifest["inputs"]}
        self.columns = [(column, row_finder(tables[column["table"]]) if "table" in column else None, tables.get(column.get("table"))) for column in encoders["columns"] if column["name"] in self.wanted]
        prefix = manifest["surface"] + "/"
        self.view_types = {name[len(prefix) :]: index for index, name in enumerate(encoders["viewTypes"]) if name.startswith(prefix)}

    def column(self, column, find, table, count, values, time):
        kind, name = column["kind"], column["name"]
        if kind == "number":
            return np.array([[encode_number(column["encoding"], value)] for value in values(name)], np.float32)
        if kind == "vector":
            return np.array(values(name), np.float32)
        if kind == "id" and "serveAs" in column:
            return np.full(count, find(column["serveAs"]), np.int64)
        if kind == "id":
            return np.array([find(value) for value in values(name)], np.int64)
        if table["type"] == "time_gap":
            lists = [[time - at for at in one or []] for one in values(f"{column['feature']}.@time")]
        else:
            lists = [one or [] for one in values(name)]
        kept = slice(-column["maxLength"], None) if column["keep"] == "last" else slice(column["maxLength"])
        found = [[find(value) for value in one[kept]] for one in lists]
        longest = max(1, *(len(one) for one in found))
        return np.array([one + [-1] * (longest - len(one)) for one in found], np.int64)

    def encode(self, view_type, time, count, of_request, of_candidates):
        """`of_request(name)` and `of_candidates(name)` give a feature's raw values: one, or one for each of the `count` candidates."""
        feeds = {"row_to_request": np.zeros(count, np.int64), "view_type": np.array([self.view_types.get(view_type, 0)], np.int64)}
        for column, find, table in self.columns:
            side = (1, of_request) if self.wanted[column["name"]] == "requests" else (count, of_candidates)
            feeds[column["name"]] = self.column(column, find, table, *side, time)
        return {name: value for name, value in feeds.items() if name in self.wanted}

    def __call__(self, body):
        """A body of `POST /v1/score`."""
        features, candidates = body["features"], body["candidates"]
        return self.encode(body["viewType"], body["time"], len(candidates), lambda name: [features.get(name)], lambda name: [row.get(name) for row in candidates])

    def expanded(self, feeds):
        """The request's side repeated for every candidate."""
        count = len(feeds["row_to_request"])
        wide = {name: np.repeat(value, count, 0) if self.wanted[name] == "requests" else value for name, value in feeds.items()}
        return {**wide, "row_to_request": np.arange(count, dtype=np.int64)}


def onnx_session(folder):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(names, feeds)))


def torch_session(folder):
    from torch_model import load

    return load(folder / "model.onnx")


def open_export(folder, engine):
    """The encoder of an export, and the function from encoded inputs to scores by task; the engine is onnxruntime or torch."""
    folder = Path(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    return Encoder(folder, manifest), (onnx_session if engine == "onnxruntime" else torch_session)(folder)
