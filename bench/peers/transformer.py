"""Pre-norm Transformer over an event history, read by candidates, as people write it in PyTorch."""
import torch
from torch import nn
from torch.nn import functional

from dcn import Dcn, copy_linear


class Layer(nn.Module):
    def __init__(self, width, heads, feed_forward):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.dense0, self.dense1 = nn.Linear(width, feed_forward, bias=False), nn.Linear(feed_forward, width, bias=False)

    def forward(self, x):
        rows, length, width = x.shape
        qkv = self.qkv(self.norm(x)).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        # Padding comes after every event, so a causal score never reaches it.
        read = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(read.transpose(1, 2).reshape(rows, length, width))
        return x + self.dense1(torch.relu(self.dense0(self.norm(x))))

    def start_from(self, tensors, name):
        copy_linear(self.qkv, tensors, f"{name}.attention.qkv")
        copy_linear(self.out, tensors, f"{name}.attention.out")
        copy_linear(self.dense0, tensors, f"{name}.dense0")
        copy_linear(self.dense1, tensors, f"{name}.dense1")


class HistoryModel(nn.Module):
    """Histories and features to logits; `broadcast` encodes a history once per request instead of once per candidate."""

    def __init__(self, fields, token_width, config, broadcast):
        super().__init__()
        width, self.heads = config["width"], config["heads"]
        self.broadcast = broadcast
        self.embed = nn.Linear(token_width, width, bias=False)
        self.layers = nn.ModuleList([Layer(width, self.heads, config["feed_forward"]) for _ in range(config["layers"])])
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        candidate_width = fields["candidate"] * config["embedding"]
        self.query, self.kv = nn.Linear(candidate_width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.dcn = Dcn(fields["request"] * config["embedding"] + candidate_width + 2 * width, config)

    def forward(self, request, candidate, tokens, lengths, row_to_request):
        """Without `broadcast`, request, tokens and lengths come with a row per candidate."""
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        rows, length, width = x.shape
        newest = x[torch.arange(rows), lengths - 1]
        key, value = self.kv(x).view(rows, length, 2, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        # Candidates of a request are consecutive and as many for each, so they are one query matrix a request.
        query = self.query(candidate).view(rows, -1, self.heads, width // self.heads).transpose(1, 2)
        mask = (torch.arange(length) < lengths[:, None])[:, None, None]
        read = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        read = read.transpose(1, 2).reshape(-1, width)
        of_request = torch.cat([request, newest], 1)
        if self.broadcast:
            of_request = of_request[row_to_request]
        return self.dcn(torch.cat([of_request, candidate, read], 1))

    def start_from(self, tensors):
        name = "trunk.transformer.history"
        copy_linear(self.embed, tensors, f"{name}.embed")
        for index, layer in enumerate(self.layers):
            layer.start_from(tensors, f"{name}.layer{index}")
        copy_linear(self.query, tensors, f"{name}.read.query")
        copy_linear(self.kv, tensors, f"{name}.read.kv")
        self.dcn.start_from(tensors)

