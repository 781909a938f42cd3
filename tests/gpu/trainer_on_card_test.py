"""Whole programs on a card: what they train is what the CPU trains, the same bits each time, also of
ranks that share it.

    tests/gpu/trainer_on_card_test.py FOLDER_OF_THE_PROGRAMS SPECS [FAKE_NVML]
"""

import os
import subprocess
import time
import unittest

from card_case import CARD, LIBRARIES, MADE, SPECS, CardCase

# Of single precision, after some steps that each move by the error of the one before.
AWAY_MAX = 2e-5
# What is shipped: the LSTM, and sparse tables with biases and a dot product.
SHIPPED = {"airline": 20, "recommender": 12}


class TrainerOnCardTest(CardCase):
    def compare(self, spec, *flags):
        want, _ = self.train(spec, "cpu", *flags, device="cpu")
        got, model = self.train(spec, "card", *flags)
        self.assertEqual(len(got), len(want))
        for step, (a, b) in enumerate(zip(got, want)):
            self.assertLess(abs(a - b), AWAY_MAX * (1 + abs(b)), f"step {step}: {got} {want}")
        # Blocks and threads come in another order, and copies are read as late as CUDA may.
        self.assertEqual(self.train(spec, "again", *flags, BATON_FAKE_CUDA_SEED="77",
                                    BATON_FAKE_CUDA_LATE="1"), (got, model))

    def test_models_train_as_on_the_cpu_with_the_same_bits_each_time(self):
        for name, (values, layers, optimizer) in MADE.items():
            with self.subTest(name):
                self.compare(self.write_spec(values, layers, optimizer))

    def test_shipped_models_train_as_on_the_cpu(self):
        for name, steps in SHIPPED.items():
            with self.subTest(name):
                self.compare(f"{SPECS}/{name}.yaml", "--steps", str(steps))

    def test_who_is_killed_and_goes_on_has_the_same_bits(self):
        spec = self.write_spec(*MADE["batch norm"])
        flags = ["--set", "epochs=12", "--set", "checkpoint.every_steps=2"]
        _, whole = self.train(spec, "whole", *flags)
        folder = self.path("part", "checkpoints")
        victim = subprocess.Popen(
            [CARD + "/baton-trainer", "--spec", spec, "--device", "cuda", "--output",
             self.path("part"), *flags], cwd=self.folder, stderr=subprocess.DEVNULL,
            env={**os.environ, "LD_LIBRARY_PATH": LIBRARIES})
        deadline = time.monotonic() + 60
        while not self.checkpoints(folder) and time.monotonic() < deadline:
            time.sleep(0.002)
        victim.kill()
        victim.wait()
        resume = os.path.join(folder, self.checkpoints(folder)[-1])
        self.assertEqual(self.train(spec, "part", "--resume", resume, *flags)[1], whole)

    def test_ranks_that_share_a_card_exchange_through_the_hosts(self):
        for name in ("mlp", "batch norm"):
            spec = self.write_spec(*MADE[name])
            _, alone = self.train(spec, f"alone {name}")
            model, told = self.gang(spec, f"shared {name}", cards=1)
            self.assertEqual(model, alone)
            self.assertIn("gradients travel through hosts: ranks share a card", told[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
