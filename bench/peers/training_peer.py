"""Trains in PyTorch what the benchmark trains with Onefold. Reads a command a line, answers a line of JSON."""
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional

from dcn import Dcn
from tensor_file import read_tensors
from transformer import HistoryModel


class Model(nn.Module):
    """One table for all features, looked up once a step, and the dense part behind it."""

    def __init__(self, rows, config, broadcast):
        super().__init__()
        self.broadcast, self.width = broadcast, config["embedding"]
        self.table = nn.Embedding(rows, self.width, sparse=True)
        fields = config["fields"]
        if config["length"] == 0:
            self.dense = Dcn((fields["request"] + fields["candidate"]) * self.width, config)
        else:
            self.dense = HistoryModel(fields, fields["tokens"] * self.width, config, broadcast)
        self.compiled = self.dense

    def forward(self, batch):
        blocks = [batch[name] for name in ("request", "candidate", "tokens") if name in batch]
        found = self.table(torch.cat([block.reshape(-1) for block in blocks]))
        parts = iter(found.split([block.numel() for block in blocks]))
        looked_up = [next(parts).view(*block.shape[:-1], -1) for block in blocks]
        if len(looked_up) == 2:
            return self.compiled(torch.cat(looked_up, 1))
        return self.compiled(*looked_up, batch["lengths"], batch["row_to_request"])


def prepare(path, broadcast):
    """A batch's tensors, with a row per candidate unless the model broadcasts."""
    batch = {name: tensor.long() if tensor.dtype == torch.int32 else tensor for name, tensor in read_tensors(path).items()}
    if not broadcast:
        for name in ("request", "tokens", "lengths"):
            if name in batch:
                batch[name] = batch[name][batch["row_to_request"]]
    batch["labels"] = batch["labels"].t().contiguous()
    return batch


def loss_of(model, batch):
    """Each task's loss is its mean."""
    labels = batch["labels"]
    return functional.binary_cross_entropy_with_logits(model(batch), labels) * labels.shape[1]


def row_wise_adagrad(table, sums, rate):
    """FBGEMM's row-wise Adagrad, which PyTorch lacks: one sum of mean squares a row."""
    with torch.no_grad():
        gradient = table.weight.grad.coalesce()
        rows, values = gradient.indices()[0], gradient.values()
        sums[rows] += values.square().mean(1)
        table.weight[rows] -= rate * values / (sums[rows].sqrt() + 1e-8)[:, None]


def check(command):
    """Losses of the first steps from the given parameters."""
    tensors = read_tensors(command["parameters"])
    model = Model(tensors["table"].shape[0], command["config"], command["broadcast"])
    model.dense.start_from(tensors)
    with torch.no_grad():
        model.table.weight.copy_(tensors["table"])
    sums = torch.zeros(tensors["table"].shape[0])
    optimizer = torch.optim.AdamW(model.dense.parameters(), lr=command["rates"]["learningRate"], weight_decay=0)
    losses = []
    for path in command["batches"]:
        loss = loss_of(model, prepare(path, command["broadcast"]))
        optimizer.zero_grad()
        model.table.weight.grad = None
        loss.backward()
        optimizer.step()
        row_wise_adagrad(model.table, sums, command["rates"]["embeddingLearningRate"])
        losses.append(loss.item())
    return {"losses": losses}


class Timed:
    """A model with PyTorch's fastest optimizers for it: fused AdamW, and Adagrad or SparseAdam on sparse gradients."""

    def __init__(self, command, compile_it):
        self.model = Model(command["rows"], command["config"], command["broadcast"])
        if compile_it:
            self.model.compiled = torch.compile(self.model.dense)
        self.batches = [prepare(path, command["broadcast"]) for path in command["batches"]]
        self.dense = torch.optim.AdamW(self.model.dense.parameters(), lr=1e-3, weight_decay=0, fused=True)
        self.sparse = torch.optim.Adagrad(self.model.table.parameters(), lr=0.05)

    def run(self, steps):
        started = time.perf_counter()
        for step in range(steps):
            loss = loss_of(self.model, self.batches[step % len(self.batches)])
            self.dense.zero_grad(set_to_none=True)
            self.sparse.zero_grad(set_to_none=True)
            loss.backward()
            self.dense.step()
            self.sparse.step()
        return (time.perf_counter() - started) / steps


def fastest(command):
    """Eager or compiled, whichever is faster here."""
    variants, seconds = {}, {}
    for name, compile_it in (("eager", False), ("compiled", True)):
        if name == "compiled" and not command["compile"]:
            continue
        try:
            variant = Timed(command, compile_it)
            variant.run(2)
            seconds[name] = min(variant.run(1) for _ in range(4))
            variants[name] = variant
        except Exception as error:  # A machine without a C++ compiler: eager is what its users have.
            if name == "eager":
                raise
            print(f"torch.compile does not work here: {error}", file=sys.stderr)
    best = min(seconds, key=seconds.get)
    return variants[best], {"seconds": seconds, "best": best}


def main():
    torch.set_num_threads(int(sys.argv[1]))
    timed = None
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "check":
            answer = check(command)
        elif command["do"] == "build":
            timed = None
            timed, answer = fastest(command)
        else:
            answer = {"seconds": timed.run(command["steps"])}
        print(json.dumps(answer), flush=True)


main()
