#!/usr/bin/env python3
"""
Loads exports with Python's onnxruntime, encodes raw rows, scores them, and holds the result against the probabilities that
Onefold served for the same rows: an export needs no Onefold to be served.

    pip install -r examples/ebnerd/requirements.txt
    python examples/ebnerd/score_exports.py examples/ebnerd/.onefold/unify/exports/*

The rows are the export's own `golden.parquet`, or with `--rows FILE` any rows of the merged schema that `onefold predict`
has scored. Prints the largest difference per surface and task; exits with 1 where one is above 1e-5.

The encoding below is all there is to it (docs/exports.md, "Scoring from another language"), for every kind of feature.
"""
import argparse
import json
import math
import os
import sys
from bisect import bisect_left, bisect_right
from itertools import groupby
from pathlib import Path

# onnxruntime reports to its maker unless told otherwise before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq

TOLERANCE = 1e-5

# Rows every embedding table starts with. Row 0, absent, is of features that the surface lacks: constants in its graph.
MISSING, UNKNOWN, FIRST_VALUE = 1, 2, 3


def is_missing(value):
    return value is None or (isinstance(value, float) and math.isnan(value))


def text_of(value):
    """The text that identifies an id: 5 and 5.0 are '5'."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def murmur3(text):
    """MurmurHash3 (x86, 32 bits, seed 0) of a text's UTF-8 bytes."""
    data, low32 = text.encode(), 0xFFFFFFFF
    rotate = lambda word, by: ((word << by) | (word >> (32 - by))) & low32
    hashed = 0
    for at in range(0, len(data), 4):
        part = data[at : at + 4]
        word = rotate(int.from_bytes(part, "little") * 0xCC9E2D51 & low32, 15) * 0x1B873593 & low32
        hashed ^= word
        if len(part) == 4:
            hashed = (rotate(hashed, 13) * 5 + 0xE6546B64) & low32
    hashed ^= len(data)
    hashed = (hashed ^ (hashed >> 16)) * 0x85EBCA6B & low32
    hashed = (hashed ^ (hashed >> 13)) * 0xC2B2AE35 & low32
    return hashed ^ (hashed >> 16)


def row_finder(table):
    """The function from a raw value to its row of an embedding table; a time-gap table takes milliseconds."""
    if table["type"] == "vocabulary":
        rows = {value: FIRST_VALUE + index for index, value in enumerate(table["values"])}
        find = lambda value: rows.get(text_of(value), UNKNOWN)
    elif table["type"] == "hash":
        find = lambda value: FIRST_VALUE + murmur3(text_of(value)) % table["buckets"]
    elif table["type"] == "bucket":
        find = lambda value: FIRST_VALUE + bisect_right(table["boundaries"], float(value))
    else:
        last = table["rows"] - FIRST_VALUE - 1
        find = lambda value: FIRST_VALUE + min(math.floor(math.log2(1 + max(0, value) / 60_000)), last)
    return lambda value: MISSING if is_missing(value) else find(value)


def quantile_place(quantiles, value):
    """Place among ascending quantiles, mapped to [-1, 1]; values that several of them share sit in their middle."""
    last = len(quantiles) - 1
    if last < 1:
        return 0.0
    first, above = bisect_left(quantiles, value), bisect_right(quantiles, value)
    if above == 0:
        return -1.0
    if first < above:
        place = (first + above - 1) / 2
    elif above > last:
        place = last
    else:
        place = above - 1 + (value - quantiles[above - 1]) / (quantiles[above] - quantiles[above - 1])
    return 2 * place / last - 1


def encode_number(encoding, value):
    if is_missing(value) or math.isinf(value):
        return math.nan
    if encoding["type"] == "quantile":
        return quantile_place(encoding["quantiles"], value)
    if encoding["log"]:
        value = math.copysign(math.log1p(abs(value)), value)
    return (value - encoding["mean"]) / encoding["deviation"]


def encode_column(column, tables, rows, times):
    """One input of the graph, from the rows it has one of: all candidates, or the first of each request."""
    # A training-only feature is served with one value, whatever the row says.
    values = [column.get("serveAs", row.get(column["name"])) for row in rows]
    if column["kind"] == "number":
        return np.array([[encode_number(column["encoding"], value)] for value in values], np.float32)
    if column["kind"] == "vector":
        missing = [math.nan] * column["size"]
        whole = lambda value: value is not None and not any(is_missing(one) for one in value)
        return np.array([value if whole(value) else missing for value in values], np.float32)
    table = tables[column["table"]]
    find = row_finder(table)
    if column["kind"] == "id":
        return np.array([find(value) for value in values], np.int64)
    if table["type"] == "time_gap":
        event_times = [row.get(f"{column['feature']}.@time") for row in rows]
        values = [[None if at is None else time - at for at in events or []] for time, events in zip(times, event_times)]
    kept = slice(-column["maxLength"], None) if column["keep"] == "last" else slice(column["maxLength"])
    found = [[find(value) for value in (listed or [])[kept]] for listed in values]
    longest = max(1, *(len(one) for one in found))
    return np.array([one + [-1] * (longest - len(one)) for one in found], np.int64)


def read_rows(file):
    """Rows of a Parquet file as dictionaries, `@time` in epoch milliseconds."""
    table = pq.read_table(file)
    at = table.schema.get_field_index("@time")
    if at < 0:
        sys.exit(f"{file} has no column @time: rows of the merged schema are needed, as golden.parquet has them")
    if pa.types.is_timestamp(table.schema.field(at).type):
        table = table.set_column(at, "@time", table.column(at).cast(pa.timestamp("ms"), safe=False).cast(pa.int64()))
    return table.to_pylist()


def encode(manifest, encoders, rows):
    """Inputs of the graph by name. Rows of a request follow each other; its first speaks for its request side."""
    starts = [next(group) for _, group in groupby(range(len(rows)), lambda index: rows[index]["@request_id"])]
    requests = [rows[start] for start in starts]
    columns = {column["name"]: column for column in encoders["columns"]}
    tables = {table["name"]: table for table in encoders["tables"]}
    view_types = {name: index for index, name in enumerate(encoders["viewTypes"])}
    inputs = {}
    for wanted in manifest["inputs"]:
        name = wanted["name"]
        if name == "row_to_request":
            inputs[name] = np.searchsorted(starts, np.arange(len(rows)), side="right").astype(np.int64) - 1
        elif name == "view_type":
            # 0: a view type never seen.
            inputs[name] = np.array([view_types.get(f"{manifest['surface']}/{row['@view_type']}", 0) for row in requests], np.int64)
        else:
            of = requests if wanted["shape"][0] == "requests" else rows
            inputs[name] = encode_column(columns[name], tables, of, [row["@time"] for row in of])
    return inputs


def check(export, rows_file):
    """Scores an export's rows; True where all tasks agree with what is stored with them."""
    manifest, encoders = (json.loads((export / name).read_text()) for name in ("manifest.json", "encoders.json"))
    session = onnxruntime.InferenceSession(export / "model.onnx", providers=["CPUExecutionProvider"])
    rows = read_rows(rows_file)
    scores = dict(zip([output.name for output in session.get_outputs()], session.run(None, encode(manifest, encoders, rows))))
    agrees = len(rows) > 0
    for task in manifest["tasks"]:
        stored = np.array([row[f"probability.{task}"] for row in rows], np.float32)
        difference = float(np.abs(scores[task].reshape(-1) - stored).max(initial=0))
        # A NaN does not agree either.
        agrees = agrees and difference <= TOLERANCE
        print(f"{manifest['surface']:<16} {task:<12} {len(rows):>6} rows   largest difference {difference:.2e}")
    return agrees


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().split("\n\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exports", nargs="+", type=Path, help="folder of an export, e.g. .onefold/unify/exports/front_page")
    parser.add_argument("--rows", type=Path, help="rows that `onefold predict` has scored with the one export, in place of its golden rows")
    options = parser.parse_args()
    if options.rows is not None and len(options.exports) > 1:
        parser.error("--rows belongs to one export")
    for export in options.exports:
        if not (export / "manifest.json").exists():
            parser.error(f"{export} holds no export: run `onefold unify` first")
    results = [check(export, options.rows or export / "golden.parquet") for export in options.exports]
    if not all(results):
        sys.exit(f"a probability differs by more than {TOLERANCE:g} from the one stored with its row")


if __name__ == "__main__":
    main()
