"""The peer: models of trainer/specs/ as their users write them in PyTorch, on one thread.

    /usr/bin/python3 tests/bench/torch_models.py mlp-7 --steps 300
    torchrun --nproc_per_node=2 tests/bench/torch_models.py mlp-7 --steps 300

Under torchrun it is DistributedDataParallel over Gloo, each process with its share of the batch. The
first process prints samples per second, all processes' together, from the end of the first step to
the end of the last, with the making of the batches (from samples that lie in memory) and the
optimizer. The samples are drawn: what a step costs does not depend on them.
"""
import argparse
import os
import time

import torch
import torch.distributed
import torchvision
from torch import nn
from torch.nn import functional

from torch_lenet import lenet


def mlp():
    widths = [20, 128, 128, 96, 64, 48, 32, 10]
    layers = []
    for before, width in zip(widths, widths[1:]):
        layers += [nn.Linear(before, width), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1])


class Block(nn.Module):
    """As in nanoGPT: one product for q, k and v, and attention by hand where PyTorch has no fused."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attention(self, x):
        batch, positions, width = x.shape
        q, k, v = (part.view(batch, positions, self.heads, -1).transpose(1, 2)
                   for part in self.qkv(x).split(width, 2))
        if hasattr(functional, "scaled_dot_product_attention"):
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            mask = torch.ones(positions, positions).tril() == 0
            scores = q @ k.transpose(-2, -1) * (q.shape[-1] ** -0.5)
            y = scores.masked_fill(mask, float("-inf")).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(batch, positions, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.narrow(functional.gelu(self.wide(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, width=128, positions=64, characters=65):
        super().__init__()
        self.characters = nn.Embedding(characters, width)
        self.position = nn.Parameter(torch.zeros(positions, width))
        self.blocks = nn.Sequential(*(Block(width, 4) for _ in range(4)))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, characters, bias=False)

    def forward(self, x):
        return self.out(self.norm(self.blocks(self.characters(x) + self.position)))


def per_position(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def adam(parameters, **settings):
    return torch.optim.Adam(parameters, lr=1e-3, foreach=True, **settings)


def lenet_training():
    net = lenet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.0005,
                                foreach=True)
    return (net, torch.randn(10_000, 1, 28, 28), torch.randint(10, (10_000,)),
            functional.cross_entropy, optimizer, 64, None)


def gpt_training():
    text = torch.randint(65, (1024, 65))
    net = Gpt()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, foreach=True)
    return net, text[:, :-1].contiguous(), text[:, 1:].contiguous(), per_position, optimizer, 12, 1.0


def mlp_training():
    net = mlp()
    return (net, torch.randn(8000, 20), torch.randint(10, (8000,)), functional.cross_entropy,
            adam(net.parameters(), weight_decay=1e-4), 64, None)


def lstm_training():
    net = Forecast()
    return (net, torch.randn(84, 12, 1), torch.randn(84, 1), functional.mse_loss,
            adam(net.parameters()), 16, None)


def resnet_training():
    net = torchvision.models.resnet50(num_classes=5)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, foreach=True)
    return (net, torch.randn(600, 3, 96, 96), torch.randint(5, (600,)), functional.cross_entropy,
            optimizer, 16, None)


def infer_vgg():
    """Images per second of 224 x 224, in the faster of two batches."""
    net = torchvision.models.vgg19().eval()
    rates = []
    with torch.no_grad():
        for batch in (1, 8):
            images = torch.randn(batch, 3, 224, 224)
            net(images)
            begin = time.monotonic()
            net(images)
            rates.append(batch / (time.monotonic() - begin))
    print(f"samples_per_s {max(rates):.2f}")


TRAININGS = {"lenet": lenet_training, "mlp-7": mlp_training, "airline": lstm_training, "gpt": gpt_training,
             "resnet-50": resnet_training}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model", choices=[*TRAININGS, "vgg-19"])
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    if options.model == "vgg-19":
        infer_vgg()
        return
    net, values, targets, loss_of, optimizer, batch, clip = TRAININGS[options.model]()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if world > 1:
        torch.distributed.init_process_group("gloo")
        net = nn.parallel.DistributedDataParallel(net)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
    begin, trained, step = None, 0, 0
    while step < options.steps:
        for indices in torch.randperm(len(values)).split(batch):
            optimizer.zero_grad(set_to_none=True)
            own = indices[rank::world]
            loss = loss_of(net(values[own]), targets[own])
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(net.parameters(), clip)
            optimizer.step()
            schedule.step()
            step += 1
            if begin is None:
                begin = time.monotonic()
            else:
                trained += len(indices)
            if step == options.steps:
                break
    if rank == 0:
        print(f"samples_per_s {trained / (time.monotonic() - begin):.1f} loss {loss.item():.4f}")


if __name__ == "__main__":
    main()
