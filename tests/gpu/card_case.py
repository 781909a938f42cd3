"""What tests of whole programs on cards, simulated (tests/fakes/cuda) or real, share. A test's
arguments are

    FOLDER_OF_THE_PROGRAMS SPECS [FAKE_NVML]

and CUDA's libraries are those in the folder, so simulated, or else the machine's.
"""

import hashlib
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest

CARD = os.path.abspath(sys.argv.pop(1))
SPECS = os.path.abspath(sys.argv.pop(1))
SIMULATED = os.path.exists(CARD + "/libcuda.so.1")
NVML = os.path.dirname(os.path.abspath(sys.argv.pop(1))) if SIMULATED else None
LIBRARIES = CARD if SIMULATED else os.environ.get("LD_LIBRARY_PATH", "")
SAMPLES = 96

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


def write_npy(path, kind, shape, values):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(shape)}, }}\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
        file.write(values)


class CardCase(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="baton-card-")
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
        env = {**os.environ, **environment, "LD_LIBRARY_PATH": LIBRARIES}
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

    def start_rank(self, spec, output, rank, *flags, cards=2, world=2, **environment):
        env = {**os.environ, **environment, "LD_LIBRARY_PATH": LIBRARIES,
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
