"""Rows of models beside LeNet: their training's speed beside PyTorch's, one thread each."""
import json
import os
import statistics
import subprocess

from measure import PROGRAMS, SPECS, Figure, build, folder, number, one_thread, say, spread, \
    torch_or_missing

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 5
# Preset, what it is, its samples and batch, steps of a run, and the factor that is expected.
MODELS = [
    ("mlp-7", "perceptron of 7 layers", 8000, 64, 3000, 2.0),
    ("airline", "LSTM of 32", 84, 16, 3000, 2.0),
    ("gpt", "GPT, 4 blocks of 128", 15684, 12, 60, 1.0),
]


def samples_of(first, last, samples, batch):
    """That the steps first+1 .. last take; the last step of an epoch takes what is left."""
    per_epoch = -(-samples // batch)
    def until(step):
        return step // per_epoch * samples + step % per_epoch * batch
    return until(last) - until(first)


def train(work, preset, samples, batch, steps):
    """One run on one thread, from the end of its first step to the end of its last."""
    metrics = os.path.join(work, "metrics.jsonl")
    if os.path.exists(metrics):
        os.unlink(metrics)
    epochs = -(-steps * batch // samples) + 1
    subprocess.run([PROGRAMS + "/baton-trainer", "--spec", f"{SPECS}/{preset}.yaml", "--output",
                    work + "/out", "--metrics", metrics, "--threads", "1", "--steps", str(steps),
                    "--set", f"epochs={epochs}", "--set", "evaluate_every_epochs=0",
                    "--set", "shards=1", "--set", "ranks=1"],
                   env=one_thread(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)
    with open(metrics, encoding="utf-8") as file:
        lines = [line for line in map(json.loads, file) if "lr" in line]
    first, last = lines[0], lines[-1]
    return (samples_of(first["step"], last["step"], samples, batch) /
            (last["time"] - first["time"]))


def train_torch(python, preset, steps):
    done = subprocess.run([python, HERE + "/torch_models.py", preset, "--steps", str(steps)],
                          env=one_thread(), capture_output=True, text=True, check=True)
    return float(done.stdout.split()[1])


def models():
    """Interleaved rounds, each from a cold start of both programs."""
    python = torch_or_missing()
    build("baton-trainer")
    for preset, what, samples, batch, steps, factor in MODELS:
        own, peer = [], []
        with folder("models") as work:
            for _ in range(ROUNDS):
                own.append(train(work, preset, samples, batch, steps))
                peer.append(train_torch(python, preset, steps))
                say(f"{preset}: {number(own[-1])} samples/s, PyTorch {number(peer[-1])}")
        ratio = statistics.median(a / b for a, b in zip(own, peer))
        yield Figure(f"trainer: {what} ({preset}), batch {batch}, 1 thread",
                     f"{spread(own)} samples/s = {ratio:.2f} x PyTorch",
                     f"PyTorch {spread(peer)} samples/s", f"{factor} x PyTorch", ratio >= factor)
