"""DCNv2 + MLP as people write it in PyTorch (Wang et al. 2021)."""
import torch
from torch import nn


class CrossLayer(nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False) if rank else None
        self.up = nn.Linear(rank or width, width)

    def forward(self, x0, x):
        return x0 * self.up(x if self.down is None else self.down(x)) + x


class Dcn(nn.Module):
    """Features `[candidates, width]` to logits `[candidates, tasks]`."""

    def __init__(self, width, config):
        super().__init__()
        self.cross = nn.ModuleList([CrossLayer(width, config["rank"]) for _ in range(config["cross"])])
        self.mlp = nn.Sequential(*perceptron(width, config["mlp"]))
        wide = width + config["mlp"][-1]
        self.tower = nn.Sequential(*perceptron(wide, config["tower"]))
        # The head reads the tower's input beside its output, as Onefold's does.
        self.head = nn.Linear(wide + config["tower"][-1], config["tasks"])

    def forward(self, x0):
        x = x0
        for layer in self.cross:
            x = layer(x0, x)
        features = torch.cat([x, self.mlp(x)], 1)
        return self.head(torch.cat([features, self.tower(features)], 1))

    def start_from(self, tensors):
        for index, layer in enumerate(self.cross):
            name = f"trunk.cross.layer{index}"
            if layer.down is None:
                copy(layer.up.weight, weight(tensors, f"{name}.weight").t())
            else:
                copy(layer.down.weight, weight(tensors, f"{name}.down").t())
                copy(layer.up.weight, tensors[f"{name}.up"].t())
            copy(layer.up.bias, tensors[f"{name}.bias"])
        for prefix, stack in (("trunk.mlp", self.mlp), ("tower.feed", self.tower)):
            for index, layer in enumerate(stack[::2]):
                copy_linear(layer, tensors, f"{prefix}.dense{index}")
        copy_linear(self.head, tensors, "tower.feed.head")


def perceptron(width, hidden):
    layers = []
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU()]
        width = size
    return layers


def weight(tensors, name):
    """A weight that is stored whole, or as the halves of both sides."""
    halves = [tensors[f"{name}.{side}"] for side in ("request", "candidate") if f"{name}.{side}" in tensors]
    return torch.cat(halves) if halves else tensors[name]


def copy(parameter, values):
    with torch.no_grad():
        parameter.copy_(values)


def copy_linear(layer, tensors, name):
    copy(layer.weight, tensors[f"{name}.weight"].t())
    if layer.bias is not None:
        copy(layer.bias, tensors[f"{name}.bias"])
