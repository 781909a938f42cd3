"""What only a simulated card (tests/fakes/cuda) can be made to do, and what of it reaches the user.

    tests/gpu/simulated_card_test.py FOLDER_OF_THE_PROGRAMS SPECS FAKE_NVML
"""

import json
import os
import subprocess
import unittest

from card_case import CARD, MADE, NVML, CardCase


class SimulatedCardTest(CardCase):
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

    def test_ranks_exchange_through_the_hosts_when_nothing_else_works(self):
        spec = self.write_spec(*MADE["mlp"])
        _, alone = self.train(spec, "alone")
        model, told = self.gang(spec, "broken", BATON_FAKE_NCCL_FAIL="1")
        self.assertEqual(model, alone)
        self.assertIn("through hosts: NCCL failed for the card of rank 0 (here: NCCL: ", told[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
