"""Rows of what a training needs and how it grows: memory of one process, and speed on two ranks."""
import os
import socket
import statistics
import subprocess
import sys

from measure import (SPECS, Figure, build, folder, number, one_thread, peak_mib, say, spread,
                     torch_or_missing)
from models import HERE, MODELS, command, train, train_torch

ROUNDS = 3
LENET = ("lenet", "LeNet", 10_000, 64, 300)
# Presets as `models` has them; a thousand steps are enough where steps are short.
ALL = [LENET, *((*row[:4], min(row[4], 1000)) for row in MODELS)]


def torch_command(torch, preset, steps):
    if preset == "lenet":
        return [torch.python, HERE + "/torch_lenet.py", SPECS + "/mnist-small", "--epochs", "1"]
    return [torch.python, HERE + "/torch_models.py", preset, "--steps", str(steps)]


def memory():
    """Peaks of whole processes, libraries and data included, on one thread."""
    torch = torch_or_missing()
    build("baton-trainer")
    for preset, what, samples, batch, steps in ALL:
        steps = min(steps, 160)
        own, peer = [], []
        with folder("memory") as work:
            for _ in range(ROUNDS):
                own.append(peak_mib(command(work, preset, samples, batch, steps)))
                peer.append(peak_mib(torch_command(torch, preset, steps)))
                say(f"{preset}: {number(own[-1])} MiB, {torch.name} {number(peer[-1])}")
        ratio = statistics.median(a / b for a, b in zip(own, peer))
        yield Figure(f"memory: training of {what} ({preset}), batch {batch}, 1 thread",
                     f"{spread(own, 'MiB')} = {ratio:.2f} x PyTorch",
                     f"{torch.name} {spread(peer, 'MiB')}", "1.0 x PyTorch", ratio <= 1)


def train_ddp(torch, preset, steps, ranks):
    """As torchrun starts processes, without its own watching of them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [torch.python, HERE + "/torch_models.py", preset, "--steps", str(steps)]
    shared = {**one_thread(), "WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1",
              "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
    processes = [subprocess.Popen(words, env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                                  stdout=subprocess.PIPE, text=True) for rank in range(ranks)]
    told = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit(f"{' '.join(words)} failed on {ranks} ranks")
    return float(told[0].split()[1])


def scaling():
    """Two ranks over loopback against one, the same global batch, one thread a rank."""
    torch = torch_or_missing()
    build("baton-trainer")
    for preset, what, samples, batch, steps in ALL:
        if preset == "airline" or (os.cpu_count() or 1) < 2:
            continue
        own, peer = {1: [], 2: []}, {1: [], 2: []}
        with folder("scaling") as work:
            for _ in range(ROUNDS):
                for ranks in (1, 2):
                    own[ranks].append(train(work, preset, samples, batch, steps, ranks))
                peer[1].append(train_torch(torch, preset, steps))
                peer[2].append(train_ddp(torch, preset, steps, 2))
                say(f"{preset}: {number(own[1][-1])} and {number(own[2][-1])} samples/s, "
                    f"{torch.name} {number(peer[1][-1])} and {number(peer[2][-1])}")
        grown = {name: statistics.median(b / a for a, b in zip(rates[1], rates[2]))
                 for name, rates in (("own", own), ("peer", peer))}
        ratio = statistics.median(a / b for a, b in zip(own[2], peer[2]))
        yield Figure(f"scaling: {what} ({preset}), batch {batch}, 2 ranks of 1 thread",
                     f"{spread(own[2])} samples/s = {grown['own']:.2f} x one rank, "
                     f"{ratio:.2f} x PyTorch",
                     f"{torch.name}, DDP {spread(peer[2])} samples/s = {grown['peer']:.2f} x one "
                     "process", "1.0 x PyTorch", ratio >= 1)
