"""The served model as people write it in PyTorch, on the weights of the exported graph: `load(path)` gives a function of its inputs.

It is of the export of `workload.mjs`: the features of the simulated marketplace's search.
"""
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional

torch.set_num_threads(1)

HEADS = 2
TASKS = ("click", "long_click", "save")
REQUEST_IDS = ("user", "device", "country", "age_bucket", "hour", "price_sensitivity")
FIELDS = {"history.pin": "ad_id", "history.topic": "topic", "history.action": "history.action", "history.gap": "history.gap"}


class Served(torch.nn.Module):
    """With a row of the request's inputs per candidate it computes everything per candidate; with one row, the user once."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights
        self.layers = sum(f"trunk.transformer.history.layer{index}.attention.out.weight" in weights for index in range(8))

    def linear(self, x, name):
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        return x @ weight if bias is None else torch.addmm(bias, x, weight)

    def pooled(self, ids, table):
        """Mean of the rows of a padded list."""
        mask = (ids >= 0).float()
        rows = functional.embedding(ids.clamp(min=0), self.weights[f"table.{table}"])
        return (rows * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)

    def id(self, feeds, name, table=None):
        return functional.embedding(feeds[name], self.weights[f"table.{table or name}"])

    @staticmethod
    def dense(values):
        return torch.cat([values.nan_to_num(0.0), (~torch.isnan(values[:, :1])).float()], 1)

    def encode_history(self, feeds):
        """Keys and values `[requests, heads, events, width]` that candidates attend to."""
        w, name = self.weights, "trunk.transformer.history"
        mask = feeds["history.pin"] >= 0
        rows, length = mask.shape
        distance = mask.sum(1, keepdim=True) - mask.cumsum(1)
        tokens = [functional.embedding(feeds[field].clamp(min=0), w[f"table.{table}"]) for field, table in FIELDS.items()]
        x = torch.cat([*tokens, functional.embedding(distance, w["table.@position.history"])], 2) @ w[f"{name}.embed.weight"]
        width = x.shape[2]
        split = lambda tensor, parts: tensor.view(rows, length, parts, HEADS, width // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        norm = lambda tensor: functional.layer_norm(tensor, (width,))
        for index in range(self.layers):
            layer = f"{name}.layer{index}"
            query, key, value = split(norm(x) @ w[f"{layer}.attention.qkv.weight"], 3)
            # Padding comes after every event, so a causal score never reaches it.
            read = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            x = x + read.transpose(1, 2).reshape(rows, length, width) @ w[f"{layer}.attention.out.weight"]
            x = x + torch.relu(norm(x) @ w[f"{layer}.dense0.weight"]) @ w[f"{layer}.dense1.weight"]
        key, value = split(norm(x) @ w[f"{name}.read.kv.weight"], 2)
        return key, value, mask

    def forward(self, feeds):
        w, rows_of = self.weights, feeds["row_to_request"]
        rows = len(feeds["view_type"])
        constant = lambda name: w[f"row.{name}"].expand(rows, -1)
        context = [constant("@surface.1"), self.id(feeds, "view_type", "@view_type")]
        request = torch.cat(
            [*context, *(self.id(feeds, name) for name in REQUEST_IDS), self.pooled(feeds["declared_interests"], "topic")]
            + [self.pooled(feeds[field], table) for field, table in FIELDS.items()]
            + [self.id(feeds, "query"), constant("ad_id.0"), constant("topic.0"), self.dense(feeds["account_age_days"]), self.dense(feeds["query_length"])],
            1,
        )
        ids = [self.id(feeds, name) for name in ("ad_id", "advertiser", "topic", "format")]
        tail = [self.pooled(feeds["tags"], "tags"), self.id(feeds, "price"), self.id(feeds, "position"), self.dense(feeds["ad_age_days"]), self.dense(feeds["creative"])]
        candidate = torch.cat([*ids, *tail], 1)

        key, value, mask = self.encode_history(feeds)
        # One request's candidates are one query matrix; expanded rows have a query each.
        query = self.linear(candidate, "trunk.transformer.history.read.query").view(rows, -1, HEADS, key.shape[3]).transpose(1, 2)
        read = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
        read = read.transpose(1, 2).reshape(len(candidate), -1) * mask.any(1).float()[rows_of][:, None]
        read = read * self.linear(read, "trunk.projection.candidate.cross.layer0") + read
        candidate = torch.cat([candidate, self.linear(read, "trunk.projection.candidate.dense")], 1)

        x0 = torch.cat([request[rows_of], candidate], 1)
        down = (request @ w["trunk.cross.layer0.down.request"])[rows_of] + candidate @ w["trunk.cross.layer0.down.candidate"]
        x = x0 * torch.addmm(w["trunk.cross.layer0.bias"], down, w["trunk.cross.layer0.up"]) + x0
        x = x0 * torch.addmm(w["trunk.cross.layer1.bias"], x @ w["trunk.cross.layer1.down"], w["trunk.cross.layer1.up"]) + x

        deep = torch.relu(self.linear(torch.relu(self.linear(x, "trunk.mlp.dense0")), "trunk.mlp.dense1"))
        shared = torch.cat([x, deep], 1)
        gates = self.linear(x, "trunk.experts.gate") + (torch.cat(context, 1) @ w["trunk.experts.gate.context"])[rows_of]
        gates = torch.softmax(gates.view(len(x), len(TASKS), -1), 2)
        experts = torch.relu(self.linear(x, "trunk.experts.dense0")).view(len(x), gates.shape[2], -1)
        features = torch.cat([shared, torch.bmm(gates, experts).flatten(1)], 1)
        tower = torch.cat([features, torch.relu(self.linear(features, "tower.search.dense0"))], 1)
        logits = self.linear(tower, "tower.search.head") + self.linear(shared, "shared_head")
        return torch.sigmoid(self.calibrate(logits, feeds["view_type"][rows_of]))

    def calibrate(self, logits, view_types):
        per_task = lambda part: torch.cat([self.weights[f"calibration.{task}.{part}"] for task in TASKS], 1)[view_types]
        z = logits[..., None]
        terms = torch.cat([z, functional.softplus(z), torch.relu(z - per_task("knots"))], 2)
        return ((per_task("weights") * terms).sum(2, keepdim=True) + per_task("offsets"))[..., 0]


def load(path):
    """The function from named numpy inputs to named numpy outputs."""
    graph = onnx.load(str(path)).graph
    model = Served({one.name: torch.from_numpy(np.array(numpy_helper.to_array(one))) for one in graph.initializer})

    @torch.inference_mode()
    def run(feeds):
        scores = model({name: torch.from_numpy(value) for name, value in feeds.items()}).numpy()
        return {task: scores[:, index] for index, task in enumerate(TASKS)}

    return run
