"""Row of what the same bits at every number of ranks cost: the exchange in the canonical order."""
import os
import subprocess

from measure import BENCHES, Figure, build, folder, number, say
from models import MODELS, train

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
