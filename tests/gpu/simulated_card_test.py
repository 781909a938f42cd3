"""Whole programs on a simulated card (tests/fakes/cuda): what they train is what the CPU trains, the
same bits each time, and what a card says reaches the user.

    tests/gpu/simulated_card_test.py FOLDER_OF_THE_SIMULATED_CARD SPECS FAKE_NVML
"""

import hashlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

CARD = os.path.abspath(sys.argv.pop(1))
SPECS = os.path.abspath(sys.argv.pop(1))
NVML = os.path.dirname(os.path.abspath(sys.argv.pop(1)))
SAMPLES = 96
# Of single precision, after some steps that each move by the error of the one before.
AWAY_MAX = 2e-5

CONV = [{"conv": {"out": 4, "kernel": 3, "padding": 1}}, "relu", {"max_pool": {"kernel": 2}},
        {"conv": {"out": 8, "kernel": 3, "groups": 2}}, "relu",
        {"avg_pool": {"kernel": 2}}, "flatten", {"dropout": {"rate": 0.2}}, {"dense": {"out": 4}}]
NORM = [{"conv": {"out": 4, "kernel": 3, "bias": False}}, "batch_norm", "relu",
        {"global_pool": {"kind": "average"}}, {"dense": {"out": 4}}]
WORDS = [{"name": "words", "embedding": {"vocabulary": 200, "width": 8}},
         {"name": "start", "position": {}}, {"attention": {"heads": 2, "causal": True}},
         {"name": "sum", "inputs": ["start", "attention1"], "add": {}}, "layer_norm",
         {"dense": {"out": 16}}, "gelu", {"gru": {"hidden": 6}}, "last", {"dense": {"out": 4}}]
SGD, ADAM = {"name": "sgd", "lr": 0.05, "momentum": 0.9}, {"name": "adamw", "lr": 0.003}
# Name: input, layers, optimizer.
MADE = {"lenet": ([2, 10, 10], CONV, SGD), "batch norm": ([2, 8, 8], NORM, ADAM),
        "mlp": ([200], [{"dense": {"out": 32}}, "relu", {"dense": {"out": 4}}], SGD),
        "transformer and gru": ([10], WORDS, ADAM)}
# What is shipped: the LSTM, and sparse tables with biases and a dot product.
SHIPPED = {"airline": 20, "recommender": 12}


def write_npy(path, kind, shape, values):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(shape)}, }}\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
        file.write(values)


class SimulatedCardTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="simulated-card-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write_spec(self, values, layers, optimizer):
        draw = random.Random(1)
        size = 1
        for extent in values:
            size *= extent
        labels = [draw.randrange(4) for _ in range(SAMPLES)]
        pixels = [draw.randrange(150) + 12 * label for label in labels for _ in range(size)]
        write_npy(self.path("x.npy"), "|u1", [SAMPLES] + values, bytes(pixels))
        write_npy(self.path("y.npy"), "|u1", [SAMPLES], bytes(labels))
        model = {"input": values, "layers": layers, "loss": "softmax_cross_entropy"}
        if len(values) > 1 or size > 100:
            model["divide_by"] = 255
        with open(self.path("made.yaml"), "w", encoding="utf-8") as file:
            json.dump({"name": "made", "epochs": 2, "batch_size": 16, "shards": 2, "seed": 3,
                       "optimizer": optimizer, "model": model,
                       "data": {"format": "npy", "classes": 4, "test_fraction": 0.25,
                                "train": {"values": "x.npy", "target": "y.npy"}}}, file)
        return self.path("made.yaml")

    def trainer(self, *flags, code=0, **environment):
        env = {**os.environ, **environment, "LD_LIBRARY_PATH": CARD}
        done = subprocess.run([CARD + "/baton-trainer", *flags], cwd=self.folder, env=env,
                              capture_output=True, text=True, check=False, timeout=100)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def train(self, spec, output, *flags, device="cuda", **environment):
        """The losses and the digest of the model."""
        self.trainer("--spec", spec, "--device", device, "--output", self.path(output), "--losses",
                     self.path(output + ".csv"), *flags, **environment)
        with open(self.path(output + ".csv"), encoding="utf-8") as file:
            losses = [float(line.split(",")[1]) for line in file.read().split()[1:]]
        return losses, self.model(output)

    def checkpoints(self, folder):
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return sorted(name for name in names if not name.endswith(".tmp"))

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

    def start_rank(self, spec, output, rank, *flags, cards=2, world=2, **environment):
        env = {**os.environ, **environment, "LD_LIBRARY_PATH": CARD,
               "BATON_FAKE_CUDA_DEVICES": str(cards)}
        return subprocess.Popen(
            [CARD + "/baton-trainer", "--spec", spec, "--device", "cuda", "--output",
             self.path(output), "--rank", str(rank), "--local-rank", str(rank), "--world-size",
             str(world), "--rendezvous", "dir:" + self.path("meet-" + output), *flags],
            cwd=self.folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def model(self, output):
        with open(self.path(output, "model.safetensors"), "rb") as model:
            return hashlib.sha256(model.read()).hexdigest()

    def gang(self, spec, output, *flags, world=2, cards=2, **environment):
        """The digest of the model, and what each rank said."""
        ranks = [self.start_rank(spec, output, rank, *flags, world=world, cards=cards,
                                 **environment) for rank in range(world)]
        told = [rank.communicate(timeout=100)[1].decode() for rank in ranks]
        self.assertEqual([rank.returncode for rank in ranks], [0] * world, told)
        return self.model(output), told

    def test_ranks_with_a_card_each_exchange_between_them(self):
        spec = self.write_spec(*MADE["batch norm"])
        # The last batch of an epoch has fewer samples than there are shards.
        flags = ["--set", "shards=4", "--set", "batch_size=23"]
        _, alone = self.train(spec, "alone", *flags)
        for world in (2, 3):
            model, told = self.gang(spec, f"gang{world}", *flags, world=world, cards=3)
            self.assertEqual(model, alone)
            self.assertIn("computes on card 1", told[1])
            for text in told:
                self.assertIn("gradients travel between devices", text)

    def test_ranks_exchange_through_the_hosts_when_told_to_or_nothing_else_works(self):
        spec = self.write_spec(*MADE["mlp"])
        _, alone = self.train(spec, "alone")
        model, told = self.gang(spec, "told", "--exchange", "host")
        self.assertEqual(model, alone)
        self.assertIn("gradients travel through hosts: as asked for", told[0])
        model, told = self.gang(spec, "shared", cards=1)
        self.assertEqual(model, alone)
        self.assertIn("gradients travel through hosts: ranks share a card", told[0])
        model, told = self.gang(spec, "broken", BATON_FAKE_NCCL_FAIL="1")
        self.assertEqual(model, alone)
        self.assertIn("through hosts: NCCL failed for the card of rank 0 (here: NCCL: ", told[0])

    def test_ranks_with_a_card_each_leave_when_asked_and_go_on(self):
        spec = self.write_spec(*MADE["mlp"])
        flags = ["--set", "epochs=8"]
        _, whole = self.train(spec, "whole", *flags)
        ranks = [self.start_rank(spec, "part", rank, *flags)
                 for rank in range(2)]
        folder = self.path("part", "checkpoints")
        deadline = time.monotonic() + 60
        while not self.checkpoints(folder) and time.monotonic() < deadline:
            time.sleep(0.002)
        ranks[1].send_signal(signal.SIGTERM)
        told = [rank.communicate(timeout=100)[1].decode() for rank in ranks]
        self.assertEqual([rank.returncode for rank in ranks], [75, 75], told)
        _, told = self.gang(spec, "part", *flags, "--resume",
                            os.path.join(folder, self.checkpoints(folder)[-1]))
        self.assertEqual(self.model("part"), whole)

    def lose_a_rank(self, output, signal_number, flags):
        """One of two ranks in mid-training; the other's seconds until it ends with 76, the same
        bits afterwards."""
        spec = self.write_spec(*MADE["mlp"])
        flags = ["--set", "epochs=8", "--set", "checkpoint.every_steps=2", *flags]
        _, whole = self.train(spec, "whole", *flags)
        folder = self.path(output, "checkpoints")
        ranks = [self.start_rank(spec, output, rank, *flags) for rank in range(2)]
        deadline = time.monotonic() + 60
        while len(self.checkpoints(folder)) < 2 and time.monotonic() < deadline:
            time.sleep(0.002)
        ranks[1].send_signal(signal_number)
        begin = time.monotonic()
        told = ranks[0].communicate(timeout=100)[1].decode()
        seconds = time.monotonic() - begin
        ranks[1].kill()
        ranks[1].communicate()
        self.assertEqual(ranks[0].returncode, 76, told)
        self.assertIn("gradients travel between devices", told)
        self.assertIn("a peer was lost", told)
        resume = os.path.join(folder, self.checkpoints(folder)[-1])
        self.assertEqual(self.train(spec, output, "--resume", resume, *flags)[1], whole)
        return seconds

    def test_a_rank_that_is_killed_ends_the_others_at_once(self):
        self.assertLess(self.lose_a_rank("killed", signal.SIGKILL, []), 1)

    def test_a_rank_that_stands_still_ends_the_others_after_its_time(self):
        self.lose_a_rank("silent", signal.SIGSTOP, ["--silence-ms", "400"])

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
