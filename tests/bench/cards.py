"""A row that needs a card: training beside PyTorch's, eager and compiled, on the same card."""
import json
import os
import statistics
import subprocess
import sys

from measure import Figure, Missing, build, folder, number, say, spread, torch_or_missing
from measure import PROGRAMS, SPECS, tell_torch

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 3
# Preset, its samples, what differs from it, batch, steps of a run, and whether bfloat16 is tried.
MODELS = [
    ("lenet", 10_000, [], 64, 600, False),
    ("airline", 84, [], 16, 600, False),
    ("resnet-50", 600, ["model.input=[3,224,224]"], 64, 40, False),
    ("vgg-19", 600, ["model.input=[3,224,224]"], 32, 40, False),
    ("inception-v3", 600, ["model.input=[3,299,299]"], 32, 40, False),
    ("gpt", 15_684, [], 12, 300, True),
]
# Floating-point operations a second of a card, as its maker names them: float32 without tensor
# cores, bfloat16 with them, both dense.
PEAKS = {"H100": (67e12, 989e12), "H200": (67e12, 989e12), "A100": (19.5e12, 312e12)}


def card_or_missing():
    look = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
                          capture_output=True, text=True, check=False) if os.path.exists(
                              "/usr/bin/nvidia-smi") else None
    if look is None or look.returncode != 0 or not look.stdout.strip():
        raise Missing("no card, or no nvidia-smi to name it")
    return look.stdout.splitlines()[0].strip()


def train(work, model, bfloat16, *more):
    """Samples per second, from the end of the step at a third of the run to the end of the last: a
    pass is recorded when it comes for the second time."""
    preset, samples, sets, batch, steps, _ = model
    metrics = os.path.join(work, "metrics.jsonl")
    if os.path.exists(metrics):
        os.unlink(metrics)
    changes = [*sets, f"batch_size={batch}", f"epochs={-(-steps * batch // samples) + 1}", "shards=1",
               "ranks=1", "evaluate_every_epochs=0", "log_every_steps=1", *more]
    if bfloat16:
        changes.append("model.precision=bf16")
    done = subprocess.run([PROGRAMS + "/baton-trainer", "--spec", f"{SPECS}/{preset}.yaml",
                           "--output", work + "/out", "--metrics", metrics, "--device", "cuda",
                           "--steps", str(steps),
                           *(word for change in changes for word in ("--set", change))],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{preset} on the card: {done.stderr}")
    with open(metrics, encoding="utf-8") as file:
        lines = [line for line in map(json.loads, file) if "lr" in line]
    first = next(line for line in lines if line["step"] >= steps // 3)
    last = lines[-1]
    per_epoch = -(-samples // batch)

    def until(step):
        return step // per_epoch * samples + step % per_epoch * batch
    return (until(last["step"]) - until(first["step"])) / (last["time"] - first["time"])


def train_torch(torch, model, bfloat16, compiled):
    """Samples per second, and floating-point operations of one (0: not counted)."""
    preset, _, _, batch, steps, _ = model
    flags = ["--device", "cuda", "--batch", str(batch)]
    flags += ["--bf16"] if bfloat16 else []
    flags += ["--compile"] if compiled else []
    done = subprocess.run([torch.python, HERE + "/torch_models.py", preset, "--steps", str(steps),
                           *flags], capture_output=True, text=True, check=True)
    words = done.stdout.split()
    return float(words[1]), float(words[5]) if len(words) > 5 else 0.0


def share(card, rate, operations, bfloat16):
    """The rate's share of what the card can do, in words."""
    peak = next((both[bfloat16] for name, both in PEAKS.items() if name in card), None)
    if peak is None or operations == 0:
        return ""
    return f", {100 * rate * operations / peak:.1f} % of the card's peak"


def cards():
    """Interleaved rounds; the algorithms that give the same bits, and beside them the fast ones."""
    card = card_or_missing()
    torch = None
    try:
        torch = torch_or_missing()
    except Missing:
        if tell_torch(sys.executable) is None:
            say("no PyTorch here: Baton's own figures alone")
    build("baton-trainer")
    for model in MODELS:
        for bfloat16 in ([False, True] if model[5] else [False]):
            own, fast, eager, compiled, operations = [], [], [], [], 0.0
            with folder("cards") as work:
                for _ in range(ROUNDS):
                    own.append(train(work, model, bfloat16))
                    fast.append(train(work, model, bfloat16, "algorithms=fast"))
                    if torch is not None:
                        rate, operations = train_torch(torch, model, bfloat16, False)
                        eager.append(rate)
                        compiled.append(train_torch(torch, model, bfloat16, True)[0])
                    say(f"{model[0]}: {number(own[-1])} samples/s, fast {number(fast[-1])}")
            kind = "bf16" if bfloat16 else "float32"
            gain = statistics.median(a / b for a, b in zip(fast, own))
            what = f"card: {model[0]}, batch {model[3]}, {kind}, {card}"
            value = f"{spread(own)} samples/s{share(card, statistics.median(own), operations, bfloat16)}"
            beside = f"algorithms: fast {gain:.2f} x"
            if torch is None:
                yield Figure(what, value, beside)
                continue
            by_eager = statistics.median(a / b for a, b in zip(own, eager))
            by_compiled = statistics.median(a / b for a, b in zip(own, compiled))
            yield Figure(what, f"{value} = {by_eager:.2f} x eager, {by_compiled:.2f} x compiled",
                         f"{torch.name} {spread(eager)}, compiled {spread(compiled)}; {beside}",
                         "1.2 x eager, 1.0 x compiled", by_eager >= 1.2 and by_compiled >= 1.0)
