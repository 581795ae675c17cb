"""Losses of the model in pytorch-losses.test.ts, trained by PyTorch (2.15): writes them into pytorch_losses.json.

The JSON file holds the parameters' shapes, which the test compares with its model's; this script fills in the losses.
    python src/train/oracle/pytorch_losses.py
"""
import json
import math
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "bench" / "peers"))

from transformer import HistoryModel  # noqa: E402

REQUESTS, CANDIDATES, LENGTH, ROWS, STEPS, SEED = 6, 3, 5, 12, 8, 5
RATE, TABLE_RATE = 0.01, 0.1
CONFIG = {"embedding": 4, "width": 8, "heads": 2, "layers": 2, "feed_forward": 12, "cross": 2, "rank": 3, "mlp": [8, 6], "tower": [5], "tasks": 2}
# Tables of the fused table, in its order, and their rows.
TABLES = {"user": ROWS, "place": ROWS, "topic": ROWS, "ad": ROWS, "@position.history": LENGTH}


def drawn(seed, index, below):
    return ((seed * 7919 + index * 104729 + 12345) % 65537) % below


def starting_values(name, shape):
    start = sum(map(ord, name))
    offset = 1 if name.endswith(".scale") else 0
    return torch.tensor([offset + 0.4 * math.sin(start + 1.7 * index) for index in range(math.prod(shape))]).reshape(shape)


def signed(value):
    return (value + 2**31) % 2**32 - 2**31


def mix(value):
    x = signed(value)
    x = signed((x ^ ((x % 2**32) >> 16)) * 0x85EBCA6B)
    x = signed((x ^ ((x % 2**32) >> 13)) * 0xC2B2AE35)
    return signed(x ^ ((x % 2**32) >> 16))


def table_rows(name, count, width):
    """The project's starting rows, from src/kernels/initialize-rows.ts."""
    hashed = 0x811C9DC5
    for letter in name:
        hashed = ((hashed ^ ord(letter)) * 0x01000193) % 2**32
    bound = 0.1 / math.sqrt(width)
    origin = mix(signed(hashed) ^ mix(SEED))
    rows = []
    for row in range(count):
        state = mix(origin + signed(row * 0x9E3779B1))
        for _ in range(width):
            state = signed(state + 0x9E3779B9)
            rows.append((mix(state ^ origin) % 2**32) * (2 * bound / 2**32) - bound)
    return torch.tensor(rows).reshape(count, width)


def batch_of(step):
    seed, candidates = 100 * step, REQUESTS * CANDIDATES
    base = dict(zip(TABLES, range(0, ROWS * len(TABLES), ROWS)))
    column = lambda name, stream, count: [base[name] + drawn(seed + stream, index, ROWS) for index in range(count)]
    lengths = [1 + drawn(seed + 5, request, LENGTH) for request in range(REQUESTS)]
    tokens, event = [], 0
    for length in lengths:
        history = []
        for place in range(length):
            history.append([base["ad"] + drawn(seed + 6, event, ROWS), base["@position.history"] + length - 1 - place])
            event += 1
        tokens.append(history + [[0, 0]] * (LENGTH - length))
    return {
        "request": torch.tensor([column("user", 1, REQUESTS), column("place", 2, REQUESTS)]).t(),
        "candidate": torch.tensor([column("topic", 3, candidates), column("ad", 4, candidates)]).t(),
        "tokens": torch.tensor(tokens),
        "lengths": torch.tensor(lengths),
        "row_to_request": torch.arange(candidates) // CANDIDATES,
        "labels": torch.tensor([[float(drawn(seed + 7 + task, row, 3) == 0) for task in range(2)] for row in range(candidates)]),
    }


def main():
    path = HERE / "pytorch_losses.json"
    oracle = json.loads(path.read_text())
    model = HistoryModel({"request": 2, "candidate": 2}, 8, CONFIG, broadcast=True)
    model.start_from({name: starting_values(name, shape) for name, shape in oracle["parameters"].items()})
    table = torch.nn.Parameter(torch.cat([table_rows(name, count, 4) for name, count in TABLES.items()]))
    sums = torch.zeros(len(table))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0)
    losses = []
    for step in range(STEPS):
        batch = batch_of(step)
        looked_up = [table[batch[name]].flatten(-2) for name in ("request", "candidate", "tokens")]
        logits = model(*looked_up, batch["lengths"], batch["row_to_request"])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, batch["labels"]) * 2
        optimizer.zero_grad()
        table.grad = None
        loss.backward()
        optimizer.step()
        with torch.no_grad():  # Row-wise Adagrad: a row without a gradient stays as it is.
            sums += table.grad.square().mean(1)
            table -= TABLE_RATE * table.grad / (sums.sqrt() + 1e-8)[:, None]
        losses.append(loss.item())
    path.write_text(json.dumps({**oracle, "losses": losses}, indent=2) + "\n")


main()
