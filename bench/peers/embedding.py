"""PyTorch's and FBGEMM's embedding lookups and sparse updates, and PyTorch's fused AdamW.

Arguments: kind, rows, width, entries, threads. Each line on standard input is a number of steps; the answer is the mean
seconds of a lookup and of an update (for adamw: of a step, as `update`). Ids are random and new every step.
"""
import json
import sys
import time

import torch

kind, rows, width, entries, threads = sys.argv[1], *map(int, sys.argv[2:6])
torch.set_num_threads(threads)
torch.manual_seed(1)
gradient = torch.full((entries, width), 1e-3)


def embedding_bag(make_optimizer):
    bag = torch.nn.EmbeddingBag(rows, width, mode="sum", sparse=True)
    optimizer = make_optimizer(bag.parameters())
    offsets = torch.arange(entries)

    def step(ids):
        start = time.perf_counter()
        out = bag(ids, offsets)
        middle = time.perf_counter()
        out.backward(gradient)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return middle - start, time.perf_counter() - middle

    return step


def fbgemm():
    from fbgemm_gpu.split_embedding_configs import EmbOptimType
    from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation, PoolingMode
    from fbgemm_gpu.split_table_batched_embeddings_ops_training import ComputeDevice, SplitTableBatchedEmbeddingBagsCodegen

    bags = SplitTableBatchedEmbeddingBagsCodegen(
        [(rows, width, EmbeddingLocation.HOST, ComputeDevice.CPU)],
        optimizer=EmbOptimType.EXACT_ROWWISE_ADAGRAD,
        learning_rate=0.05,
        eps=1e-8,
        pooling_mode=PoolingMode.SUM,
    )
    offsets = torch.arange(entries + 1)

    def step(ids):
        start = time.perf_counter()
        out = bags(ids, offsets)
        middle = time.perf_counter()
        out.backward(gradient)
        return middle - start, time.perf_counter() - middle

    return step


def adamw():
    parameter = torch.nn.Parameter(torch.randn(rows))
    optimizer = torch.optim.AdamW([parameter], lr=1e-3, fused=True)
    parameter.grad = torch.randn(rows) * 1e-3

    def step(_):
        start = time.perf_counter()
        optimizer.step()
        return 0, time.perf_counter() - start

    return step


KINDS = {
    "adagrad": lambda: embedding_bag(lambda parameters: torch.optim.Adagrad(parameters, lr=0.05)),
    "sparse-adam": lambda: embedding_bag(lambda parameters: torch.optim.SparseAdam(list(parameters), lr=0.01)),
    "sgd": lambda: embedding_bag(lambda parameters: torch.optim.SGD(parameters, lr=0.05)),
    "fbgemm": fbgemm,
    "adamw": adamw,
}

step = KINDS[kind]()
print(json.dumps({"name": kind, "torch": torch.__version__}), flush=True)
for line in sys.stdin:
    steps = int(line)
    lookups = updates = 0.0
    for _ in range(steps):
        lookup, update = step(torch.randint(rows, (entries,)))
        lookups += lookup
        updates += update
    print(json.dumps({"lookup": lookups / steps, "update": updates / steps}), flush=True)
