"""Rows of a step's exchange: what the same bits at every number of ranks cost, and what it saves
that gradients leave while backward still runs."""
import os
import subprocess

from measure import BENCHES, SPECS, Figure, build, folder, number, one_thread, say
from models import MODELS, SETS, train

# Floats of the gradient of a preset, and where its step's time comes from.
GRADIENTS = {"mlp-7": 42_810, "gpt": 818_176}
ROUNDS = 101


def determinism():
    """Two ranks over loopback; the exchange's difference to Gloo's all-reduce as a share of a step
    of the preset on one thread."""
    build("baton-trainer", "exchange_bench")
    rows = {preset: (samples, batch, steps) for preset, _, samples, batch, steps, _ in MODELS}
    for preset, floats in GRADIENTS.items():
        done = subprocess.run([os.path.join(BENCHES, "exchange_bench"), "--floats", str(floats),
                               "--rounds", str(ROUNDS)], capture_output=True, text=True, check=True)
        words = done.stdout.split()
        canonical_ms, gloo_ms = float(words[5]), float(words[7])
        samples, batch, steps = rows[preset]
        with folder("determinism") as work:
            step_ms = 1000 * batch / train(work, preset, samples, batch, steps)
        share = 100 * (canonical_ms - gloo_ms) / (step_ms + gloo_ms)
        say(f"{preset}: {done.stdout.strip()}, step {step_ms:.2f} ms")
        yield Figure(f"determinism: exchange of {preset}'s gradient, 2 ranks",
                     f"{number(canonical_ms)} ms, {share:+.1f} % of a step",
                     f"Gloo's all-reduce {number(gloo_ms)} ms, step {number(step_ms)} ms",
                     "5 % of a step", share <= 5)


# Megabits per second of a simulated line between the ranks; 0: TCP over loopback.
LINKS = {0: "loopback", 1000: "1 Gbit/s", 10_000: "10 Gbit/s"}


def overlap():
    """Two ranks of one thread each; both ways take turns within `overlap_bench`."""
    build("overlap_bench")
    for preset, rounds in (("gpt", 31), ("resnet-50", 9)):
        changes = (word for change in SETS.get(preset, []) for word in ("--set", change))
        done = subprocess.run([os.path.join(BENCHES, "overlap_bench"), "--spec",
                               f"{SPECS}/{preset}.yaml", *changes, "--rounds", str(rounds), "--mbit",
                               *map(str, LINKS)], env=one_thread(), capture_output=True, text=True,
                              check=True)
        for line in done.stdout.splitlines():
            words = line.split()
            ratio = float(words[9])
            yield Figure(f"overlap: step of {preset}, 2 ranks, {LINKS[int(words[3])]}",
                         f"{number(float(words[7]))} ms = {ratio:.2f} x without",
                         f"sent after backward {number(float(words[5]))} ms")
