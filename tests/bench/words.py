"""Vectors of words: the trainer's speed beside PyTorch's, each with sparse gradients."""
import json
import os
import statistics
import subprocess

from measure import (PROGRAMS, SPECS, Figure, build, folder, number, one_thread, say, spread,
                     torch_or_missing)

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 5
STEPS = 1500
BATCHES = (1024, 4096)


def train(work, optimizer, batch):
    """Pairs per second on one thread, from the end of the first step to the end of the last."""
    metrics = os.path.join(work, "metrics.jsonl")
    if os.path.exists(metrics):
        os.unlink(metrics)
    steps = STEPS * BATCHES[0] // batch
    subprocess.run([PROGRAMS + "/baton-trainer", "--spec", SPECS + "/word2vec.yaml", "--output",
                    work + "/out", "--metrics", metrics, "--threads", "1", "--device", "cpu",
                    "--steps", str(steps), "--set", "ranks=1", "--set", "shards=1", "--set",
                    f"batch_size={batch}", "--set", f"optimizer.name={optimizer}"],
                   env=one_thread(), stdout=subprocess.DEVNULL, check=True)
    with open(metrics, encoding="utf-8") as file:
        lines = [line for line in map(json.loads, file) if "pairs_per_s" in line]
    return (lines[-1]["step"] - lines[0]["step"]) * batch / (lines[-1]["time"] - lines[0]["time"])


def train_torch(torch, optimizer, batch):
    done = subprocess.run([torch.python, HERE + "/torch_words.py", "--optimizer", optimizer, "--batch",
                           str(batch)], env=one_thread(), capture_output=True, text=True,
                          check=True)
    return float(done.stdout.split()[1])


def words():
    """trainer/specs/word2vec.yaml, one thread: interleaved rounds, with the preset's Adam and SGD."""
    torch = torch_or_missing()
    build("baton-trainer")
    settings = [(optimizer, batch) for optimizer in ("adam", "sgd") for batch in BATCHES]
    own, peer = {s: [] for s in settings}, {s: [] for s in settings}
    with folder("words") as work:
        for _ in range(ROUNDS):
            for setting in settings:
                own[setting].append(train(work, *setting))
                peer[setting].append(train_torch(torch, *setting))
                say(f"{setting}: {number(own[setting][-1])} pairs/s, PyTorch "
                    f"{number(peer[setting][-1])}")
    for setting in settings:
        ratio = statistics.median(a / b for a, b in zip(own[setting], peer[setting]))
        yield Figure(f"word2vec: {setting[0]}, batch {setting[1]}, 1 thread, 1 shard",
                     f"{spread(own[setting])} pairs/s = {ratio:.2f} x PyTorch",
                     f"{torch.name} {spread(peer[setting])} pairs/s", "2 x PyTorch", ratio >= 2)
