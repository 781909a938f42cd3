"""The peer: LeNet-5 of trainer/specs/lenet.yaml in PyTorch, on one thread.

    /usr/bin/python3 tests/bench/torch_lenet.py trainer/specs/mnist-small --epochs 2
    torchrun --nproc_per_node=2 --max_restarts=100 tests/bench/torch_lenet.py \\
        trainer/specs/mnist-small --epochs 1000 --work /tmp/ddp

Alone it prints images per second, from the end of the first step to the end of the last, with the
making of the batches and the optimizer. Under torchrun it is DistributedDataParallel over Gloo as
PyTorch's own tutorial on fault tolerance writes it: rank 0 saves a snapshot every --save-steps
steps and all load it after a restart; each rank writes its finished step and the time into
WORK/steps-RANK, 16 bytes.
"""
import argparse
import gzip
import os
import struct
import time

import numpy
import torch
import torch.distributed
from torch import nn
from torch.nn import functional

BATCH = 64
PEAK_LR = 0.05


def read_idx(path, header):
    with gzip.open(path) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=header).copy()


def read_train(folder):
    images = read_idx(f"{folder}/train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    labels = read_idx(f"{folder}/train-labels-idx1-ubyte.gz", 8).astype(numpy.int64)
    return torch.from_numpy(images), torch.from_numpy(labels)


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


class Training:
    """Network, optimizer and schedule; one call of `step` is one step."""

    def __init__(self, options, steps):
        self.images, self.labels = read_train(options.data)
        self.net = lenet()
        self.layout = torch.channels_last if options.channels_last else torch.contiguous_format
        self.net.to(memory_format=self.layout)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=PEAK_LR, momentum=0.9,
                                         weight_decay=0.0005, foreach=True)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)

    def step(self, indices):
        batch = self.images[indices].float().div_(255).contiguous(memory_format=self.layout)
        self.optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(self.net(batch), self.labels[indices])
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return loss.item()


def alone(options):
    images = len(read_train(options.data)[1])
    training = Training(options, (images + BATCH - 1) // BATCH * options.epochs)
    begin, trained, loss = None, 0, 0.0
    for _ in range(options.epochs):
        for indices in torch.randperm(images).split(BATCH):
            loss = training.step(indices)
            if begin is None:
                begin, cpu = time.monotonic(), time.process_time()
            else:
                trained += len(indices)
    wall_s, cpu_s = time.monotonic() - begin, time.process_time() - cpu
    print(f"images_per_s {trained / wall_s:.1f} images_per_cpu_s {trained / cpu_s:.1f} "
          f"loss {loss:.4f}")


def distributed(options):
    torch.distributed.init_process_group("gloo")
    rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    torch.manual_seed(1)
    steps = 1_000_000
    training = Training(options, steps)
    snapshot, step = f"{options.work}/snapshot.pt", 0
    if os.path.exists(snapshot):
        saved = torch.load(snapshot)
        training.net.load_state_dict(saved["net"])
        training.optimizer.load_state_dict(saved["optimizer"])
        training.schedule.load_state_dict(saved["schedule"])
        step = saved["step"]
    plain = training.net
    training.net = nn.parallel.DistributedDataParallel(plain)
    with open(f"{options.work}/steps-{rank}", "wb", buffering=0) as progress:
        while step < steps:
            generator = torch.Generator().manual_seed(step)
            indices = torch.randint(len(training.labels), (BATCH,), generator=generator)
            training.step(indices[rank::world])
            step += 1
            os.pwrite(progress.fileno(), struct.pack("<qd", step, time.time()), 0)
            if rank == 0 and step % options.save_steps == 0:
                torch.save({"net": plain.state_dict(), "step": step,
                            "optimizer": training.optimizer.state_dict(),
                            "schedule": training.schedule.state_dict()}, snapshot + ".tmp")
                os.replace(snapshot + ".tmp", snapshot)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", help="folder of the IDX files")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--work", help="folder for snapshot and progress, under torchrun")
    parser.add_argument("--save-steps", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if "WORLD_SIZE" in os.environ:
        distributed(options)
    else:
        alone(options)


if __name__ == "__main__":
    main()
