"""Rows of models beside LeNet: their training's speed beside PyTorch's, one thread each."""
import array
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from measure import PROGRAMS, SPECS, Figure, build, folder, number, one_thread, say, spread, \
    torch_or_missing

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 5
# Preset, what it is, its samples and batch, steps of a run, and the factor that is expected.
MODELS = [
    ("mlp-7", "perceptron of 7 layers", 8000, 64, 3000, 2.0),
    ("airline", "LSTM of 32", 84, 16, 3000, 2.0),
    ("gpt", "GPT, 4 blocks of 128", 15684, 12, 60, 1.0),
    ("resnet-50", "ResNet-50 on 96 x 96", 600, 16, 4, 1.0),
]
# What differs from the preset.
SETS = {"resnet-50": ["model.input=[3,96,96]", "batch_size=16"]}
VGG_IMAGES = 9


def samples_of(first, last, samples, batch):
    """That the steps first+1 .. last take; the last step of an epoch takes what is left."""
    per_epoch = -(-samples // batch)
    def until(step):
        return step // per_epoch * samples + step % per_epoch * batch
    return until(last) - until(first)


def command(work, preset, samples, batch, steps, ranks=1):
    """What trains on one thread a rank, each with one shard; metrics go to `work`."""
    epochs = -(-steps * batch // samples) + 1
    return [PROGRAMS + "/baton-trainer", "--spec", f"{SPECS}/{preset}.yaml", "--output",
            work + "/out", "--metrics", work + "/metrics.jsonl", "--threads", "1", "--steps",
            str(steps), "--device", "cpu", "--set", f"epochs={epochs}", "--set",
            "evaluate_every_epochs=0", "--set", f"shards={ranks}", "--set", f"ranks={ranks}",
            *(word for change in SETS.get(preset, []) for word in ("--set", change))]


def train(work, preset, samples, batch, steps, ranks=1):
    """Samples per second of one run, from the end of its first step to the end of its last."""
    metrics = os.path.join(work, "metrics.jsonl")
    if os.path.exists(metrics):
        os.unlink(metrics)
    words = command(work, preset, samples, batch, steps, ranks)
    with tempfile.TemporaryDirectory(dir=work) as meeting:
        gang = [] if ranks == 1 else ["--world-size", str(ranks), "--rendezvous", f"dir:{meeting}",
                                      "--address", "127.0.0.1"]
        processes = [subprocess.Popen([*words, *gang, *(["--rank", str(rank)] if gang else [])],
                                      env=one_thread(), stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL) for rank in range(ranks)]
        if any([process.wait() for process in processes]):
            sys.exit(f"{' '.join(words)} failed")
    with open(metrics, encoding="utf-8") as file:
        lines = [line for line in map(json.loads, file) if "lr" in line]
    first, last = lines[0], lines[-1]
    return (samples_of(first["step"], last["step"], samples, batch) /
            (last["time"] - first["time"]))


def train_torch(torch, preset, steps):
    done = subprocess.run([torch.python, HERE + "/torch_models.py", preset, "--steps", str(steps)],
                          env=one_thread(), capture_output=True, text=True, check=True)
    return float(done.stdout.split()[1])


def models():
    """Interleaved rounds, each from a cold start of both programs."""
    torch = torch_or_missing()
    build("baton-trainer")
    for preset, what, samples, batch, steps, factor in MODELS:
        own, peer = [], []
        with folder("models") as work:
            for _ in range(ROUNDS):
                own.append(train(work, preset, samples, batch, steps))
                peer.append(train_torch(torch, preset, steps))
                say(f"{preset}: {number(own[-1])} samples/s, {torch.name} {number(peer[-1])}")
        ratio = statistics.median(a / b for a, b in zip(own, peer))
        yield Figure(f"trainer: {what} ({preset}), batch {batch}, 1 thread",
                     f"{spread(own)} samples/s = {ratio:.2f} x PyTorch",
                     f"{torch.name} {spread(peer)} samples/s", f"{factor} x PyTorch", ratio >= factor)


def write_images(path, count, side):
    """Random values, (count, 3, side, side), as numpy saves them."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, 3, {side}, {side}), }}\n"
    values = array.array("f", (random.random() for _ in range(3 * side * side)))
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        for _ in range(count):
            file.write(values.tobytes())


def predict(*flags):
    """What `baton-trainer predict` says of its own times."""
    done = subprocess.run([PROGRAMS + "/baton-trainer", "predict", "--threads", "1", "--summary",
                           "json", *flags], env=one_thread(), capture_output=True, text=True,
                          check=True)
    return json.loads(done.stdout)


def inference():
    """VGG-19 as published, 224 x 224: images a second, without the first."""
    torch = torch_or_missing()
    build("baton-trainer")
    own, peer = [], []
    with folder("inference") as work:
        spec = ["--spec", f"{SPECS}/vgg-19.yaml", "--set", "model.input=[3,224,224]"]
        weights, x = work + "/w.safetensors", work + "/x.npy"
        subprocess.run([PROGRAMS + "/baton-trainer", *spec, "--init-only", "--weights-out", weights],
                       stdout=subprocess.DEVNULL, check=True)
        write_images(x, VGG_IMAGES, 224)
        for _ in range(3):
            told = predict(*spec, "--weights", weights, "--input", x, "--output", work + "/y.npy")
            own.append(1 / told["sample_s"])
            peer.append(train_torch(torch, "vgg-19", 0))
            say(f"VGG-19: {number(own[-1])} images/s, PyTorch {number(peer[-1])}")
    ratio = statistics.median(a / b for a, b in zip(own, peer))
    yield Figure("predict: VGG-19, 224 x 224, 1 thread",
                 f"{spread(own)} images/s = {ratio:.2f} x PyTorch",
                 f"{torch.name} {spread(peer)} images/s", "1.0 x PyTorch", ratio >= 1)


def seconds():
    """What a person waits for, on all CPUs of this machine, from the command to its end."""
    build("baton-trainer")
    with folder("seconds") as work:
        for preset, what, source, count in (
                ("mlp-7", "trained (30 epochs)", "generated/test-x.npy", 2000),
                ("airline", "trained (150 epochs)", "airline/airline-passengers.csv", 133),
                ("inception-v3-transfer", "500 steps of transfer", "quickdraw-small/drawings", 750)):
            out = f"{work}/{preset}"
            begin = time.monotonic()
            subprocess.run([PROGRAMS + "/baton-trainer", "--spec", f"{SPECS}/{preset}.yaml",
                            "--output", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           check=True)
            trained_s = time.monotonic() - begin
            told = predict("--model", out, "--input", f"{SPECS}/{source}", "--output",
                           work + "/y.npy")
            say(f"{preset}: {trained_s:.1f} s, {told}")
            yield Figure(f"seconds: {preset}, {what}", f"{number(trained_s)} s",
                         f"loaded in {number(told['load_s'])} s, first prediction "
                         f"{number(told['first_sample_s'])} s, then {count} at "
                         f"{number(1000 * told['sample_s'])} ms")
