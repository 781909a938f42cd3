"""A row that needs a card: training beside PyTorch's, eager and compiled, on the same card."""
import dataclasses
import json
import os
import statistics
import subprocess
import sys

from measure import Figure, Missing, build, folder, number, say, spread, torch_or_missing
from measure import PROGRAMS, SPECS, Torch, tell_torch

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
    try:
        look = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
                              capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as failure:
        raise Missing("no card, or no nvidia-smi to name it") from failure
    return look.stdout.splitlines()[0].strip()


def torch_here():
    """That of this interpreter, else as in the other rows; None without any."""
    told = tell_torch(sys.executable)
    if told is not None:
        return Torch(sys.executable, f"PyTorch {told[0]}")
    try:
        return torch_or_missing()
    except Missing:
        say("no PyTorch here: Baton's own figures alone")
        return None


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


def train_torch(torch, runs, compiled):
    """Samples per second, and floating-point operations of one sample (0: not counted), of each run;
    by one process, since one for each would mostly start."""
    words = [f"{model[0]}:{model[3]}:{model[4]}:{'bf16' if bfloat16 else 'float32'}"
             for model, bfloat16 in runs]
    done = subprocess.run([torch.python, HERE + "/torch_cards.py", *words,
                           *(["--compile"] if compiled else [])],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"PyTorch on the card: {done.stderr[-2000:]}")
    return [tuple(map(float, line.split()[1:])) for line in done.stdout.splitlines()]


def share(card, rate, operations, bfloat16):
    """The rate's share of what the card can do, in words."""
    peak = next((both[bfloat16] for name, both in PEAKS.items() if name in card), None)
    if peak is None or operations == 0:
        return ""
    return f", {100 * rate * operations / peak:.1f} % of the card's peak"


@dataclasses.dataclass
class Rates:
    """Samples per second of the rounds."""
    own: list = dataclasses.field(default_factory=list)
    fast: list = dataclasses.field(default_factory=list)
    eager: list = dataclasses.field(default_factory=list)
    compiled: list = dataclasses.field(default_factory=list)
    operations: float = 0.0  # of one sample


def measure(torch, runs):
    rates = [Rates() for _ in runs]
    with folder("cards") as work:
        for round_number in range(ROUNDS):
            for (model, bfloat16), rate in zip(runs, rates):
                rate.own.append(train(work, model, bfloat16))
                rate.fast.append(train(work, model, bfloat16, "algorithms=fast"))
                say(f"round {round_number + 1}, {model[0]}: {number(rate.own[-1])} samples/s, "
                    f"fast {number(rate.fast[-1])}")
            if torch is None:
                continue
            for rate, (value, operations) in zip(rates, train_torch(torch, runs, False)):
                rate.eager.append(value)
                rate.operations = operations
            for rate, (value, _) in zip(rates, train_torch(torch, runs, True)):
                rate.compiled.append(value)
    return rates


def ratio(over, under):
    return statistics.median(a / b for a, b in zip(over, under))


def cards():
    """Interleaved rounds; the algorithms that give the same bits, and beside them the fast ones."""
    card = card_or_missing()
    torch = torch_here()
    build("baton-trainer")
    runs = [(model, bfloat16) for model in MODELS
            for bfloat16 in ([False, True] if model[5] else [False])]
    for (model, bfloat16), rate in zip(runs, measure(torch, runs)):
        kind = "bf16" if bfloat16 else "float32"
        what = f"card: {model[0]}, batch {model[3]}, {kind}, {card}"
        part = share(card, statistics.median(rate.own), rate.operations, bfloat16)
        value = f"{spread(rate.own)} samples/s{part}"
        beside = f"algorithms: fast {ratio(rate.fast, rate.own):.2f} x"
        if torch is None:
            yield Figure(what, value, beside)
            continue
        eager, compiled = ratio(rate.own, rate.eager), ratio(rate.own, rate.compiled)
        yield Figure(what, f"{value} = {eager:.2f} x eager, {compiled:.2f} x compiled",
                     f"{torch.name} {spread(rate.eager)}, compiled {spread(rate.compiled)}; "
                     f"{beside}", "1.2 x eager, 1.0 x compiled", eager >= 1.2 and compiled >= 1.0)
