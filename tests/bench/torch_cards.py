"""The peer on a card: models of trainer/specs/ in PyTorch, eager or by torch.compile.

    python3 tests/bench/torch_cards.py lenet:64:600:float32 gpt:12:300:bf16 --compile

A line for each NAME:BATCH:STEPS:PRECISION: the name, samples per second from a third of the steps to
their end, and the floating-point operations of a sample (eager only, else 0). Samples are drawn and
lie on the card before the clock runs; float32 is without TF32; bf16 is under autocast.
"""
import argparse
import time

import torch
import torchvision
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from torch_models import TRAININGS


def picture_training(net, side):
    return net, torch.randn(600, 3, side, side), torch.randint(5, (600,)), functional.cross_entropy


# In the size as published.
PICTURES = {
    "resnet-50": lambda: picture_training(torchvision.models.resnet50(num_classes=5), 224),
    "vgg-19": lambda: picture_training(torchvision.models.vgg19(num_classes=5), 224),
    "inception-v3": lambda: picture_training(
        torchvision.models.inception_v3(num_classes=5, aux_logits=False, init_weights=False), 299),
}


class Training:
    def __init__(self, name, batch, bfloat16, compiled):
        make = PICTURES.get(name) or TRAININGS[name]
        net, values, targets, self.loss_of, *_ = make()
        self.net, self.values, self.targets = net.cuda(), values.cuda(), targets.cuda()
        self.batch, self.bfloat16 = batch, bfloat16
        self.run = torch.compile(self.net) if compiled else self.net
        if name in ("airline", "gpt"):
            self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-3, foreach=True)
        else:
            self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.01, momentum=0.9,
                                             foreach=True)
        self.clip = 1.0 if name == "gpt" else None

    def step(self, indices):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.bfloat16):
            loss = self.loss_of(self.run(self.values[indices]), self.targets[indices])
        loss.backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.optimizer.step()

    def operations(self):
        with FlopCounterMode(display=False) as counter:
            self.step(torch.arange(self.batch, device="cuda"))
        return counter.get_total_flops() / self.batch

    def batches(self):
        while True:
            yield from torch.randperm(len(self.values), device="cuda").split(self.batch)

    def samples_per_s(self, steps):
        begin, trained = None, 0
        for done, indices in zip(range(1, steps + 1), self.batches()):
            self.step(indices)
            if begin is not None:
                trained += len(indices)
            elif done >= steps // 3:
                torch.cuda.synchronize()
                begin = time.monotonic()
        torch.cuda.synchronize()
        return trained / (time.monotonic() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("runs", nargs="+", metavar="NAME:BATCH:STEPS:PRECISION")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    for run in options.runs:
        name, batch, steps, precision = run.split(":")
        torch.compiler.reset()
        torch.cuda.empty_cache()
        training = Training(name, int(batch), precision == "bf16", options.compile)
        operations = 0 if options.compile else training.operations()
        print(f"{name} {training.samples_per_s(int(steps)):.1f} {operations:.0f}", flush=True)


if __name__ == "__main__":
    main()
