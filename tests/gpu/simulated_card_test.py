"""Whole programs on a simulated card (tests/fakes/cuda): what they train is what the CPU trains, the
same bits each time, and what a card says reaches the user.

    tests/gpu/simulated_card_test.py FOLDER_OF_THE_SIMULATED_CARD SPECS FAKE_NVML
"""

import json
import os
import subprocess
import time
import unittest

from simulated_card import CARD, MADE, NVML, SPECS, SimulatedCardCase

# Of single precision, after some steps that each move by the error of the one before.
AWAY_MAX = 2e-5
# What is shipped: the LSTM, and sparse tables with biases and a dot product.
SHIPPED = {"airline": 20, "recommender": 12}


class SimulatedCardTest(SimulatedCardCase):
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
            env={**os.environ, "LD_LIBRARY_PATH": CARD})
        deadline = time.monotonic() + 60
        while not self.checkpoints(folder) and time.monotonic() < deadline:
            time.sleep(0.002)
        victim.kill()
        victim.wait()
        resume = os.path.join(folder, self.checkpoints(folder)[-1])
        self.assertEqual(self.train(spec, "part", "--resume", resume, *flags)[1], whole)

    def test_a_card_without_room_is_told(self):
        spec = self.write_spec(*MADE["lenet"])
        text = self.trainer("--spec", spec, "--device", "cuda", code=1,
                            BATON_FAKE_CUDA_MEMORY_MB="40")
        self.assertIn("the card has no room for 33 MiB more", text)

    def test_the_doctor_tries_the_card(self):
        with open(self.path("cards"), "w", encoding="utf-8") as file:
            file.write("cards = 1\ndriver = 580.82.07\ncuda = 13000\n0.name = Simulated card\n"
                       "0.memory_total = 4294967296\n0.memory_used = 0\n0.capability = 90\n")
        env = {**os.environ, "LD_LIBRARY_PATH": CARD + ":" + NVML,
               "BATON_FAKE_NVML": self.path("cards")}
        done = subprocess.run([CARD + "/baton-trainer", "doctor", "--output", "json"], env=env,
                              capture_output=True, text=True, check=False, timeout=100)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        card, = json.loads(done.stdout)["cards"]
        self.assertTrue(card["usable"], card)
        self.assertGreater(card["training"]["samples_per_s"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
