"""Rows of the trainer alone: its speed beside PyTorch's, and what a checkpoint costs a step."""
import json
import os
import statistics
import struct
import subprocess

from measure import (PROGRAMS, SPECS, Figure, build, folder, lenet_variant, number, one_thread, say,
                     spread, torch_or_missing)

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 7
EPOCHS = 2
SAVE_STEPS = 20


def train(work, spec):
    """One run on one thread, from the end of its first step to the end of its last: images per
    second, and milliseconds for which a step waited for a save, of all steps."""
    metrics = os.path.join(work, "metrics.jsonl")
    for name in (metrics, metrics + ".progress"):
        if os.path.exists(name):
            os.unlink(name)
    subprocess.run([PROGRAMS + "/baton-trainer", "--spec", spec, "--output", work + "/out",
                    "--checkpoints", work + "/checkpoints", "--metrics", metrics, "--threads", "1"],
                   env=one_thread(), stdout=subprocess.DEVNULL, check=True)
    with open(metrics, encoding="utf-8") as file:
        lines = [line for line in map(json.loads, file) if "images_per_s" in line]
    with open(metrics + ".progress", "rb") as file:
        save_wait_ms = struct.unpack("<qqq", file.read(24))[2]
    steps = lines[-1]["step"] - lines[0]["step"]
    # The small MNIST has 10,000 images: 157 steps an epoch, the last of them with 16.
    images = EPOCHS * 10_000 - 64
    return images / (lines[-1]["time"] - lines[0]["time"]), save_wait_ms, steps


def train_torch(torch, *words):
    done = subprocess.run([torch.python, HERE + "/torch_lenet.py", SPECS + "/mnist-small", "--epochs",
                           str(EPOCHS), *words], env=one_thread(), capture_output=True, text=True,
                          check=True)
    return float(done.stdout.split()[1])


def trainer():
    """LeNet, batch 64, one thread: interleaved rounds, the peer in its better memory layout."""
    torch = torch_or_missing()
    build("baton-trainer")
    rates = {"V=1": [], "V=4": [], "torch": []}
    with folder("trainer") as work:
        specs = {f"V={shards}": lenet_variant(f"{work}/v{shards}.yaml", ranks=1, shards=shards,
                                              epochs=EPOCHS, evaluate_every_epochs=0)
                 for shards in (1, 4)}
        for _ in range(ROUNDS):
            for name, spec in specs.items():
                rates[name].append(train(work, spec)[0])
            rates["torch"].append(max(train_torch(torch), train_torch(torch, "--channels-last")))
            say("images/s " + ", ".join(f"{name} {number(r[-1])}" for name, r in rates.items()))
    for name, factor in (("V=1", 1.3), ("V=4", 1.0)):
        ratio = statistics.median(a / b for a, b in zip(rates[name], rates["torch"]))
        yield Figure(f"trainer: LeNet, batch 64, 1 thread, {name}",
                     f"{spread(rates[name])} images/s = {ratio:.2f} x PyTorch",
                     f"{torch.name} {spread(rates['torch'])} images/s",
                     f"{factor} x PyTorch", ratio >= factor)


def checkpoint():
    """What saving costs the steps: the wait that the trainer counts itself, and both rates."""
    build("baton-trainer")
    waits, ratios, steps = [], [], 0
    with folder("checkpoint") as work:
        often = lenet_variant(f"{work}/often.yaml", ranks=1, shards=1, epochs=EPOCHS,
                              evaluate_every_epochs=0, checkpoint=f"{{every_steps: {SAVE_STEPS}}}")
        never = lenet_variant(f"{work}/never.yaml", ranks=1, shards=1, epochs=EPOCHS,
                              evaluate_every_epochs=0, checkpoint="{every_steps: 1000000}")
        for _ in range(ROUNDS):
            with_saves, wait_ms, steps = train(work, often)
            without = train(work, never)[0]
            waits.append(wait_ms / steps)
            ratios.append(with_saves / without)
            say(f"stall {waits[-1]:.3f} ms a step, {ratios[-1]:.3f} x the rate without saves")
    yield Figure(f"checkpoint: stall of a step, one save (0.5 MB, synced) every {SAVE_STEPS} steps",
                 f"{spread(waits, 'ms')} a step",
                 f"rate {statistics.median(ratios):.2f} x that without saves")
