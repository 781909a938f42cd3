"""Whole models beside PyTorch, from the same weights on the same batches: the losses of 50 steps."""
import csv
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import unittest

import numpy
import torch
import torch.nn.functional as F

from models import CLASSES, MODELS, divide_by_of
from torch_model import TorchModel, read_safetensors

PROGRAM = os.path.abspath(sys.argv.pop(1))
STEPS = 50
BATCH = 8
OPTIMIZERS = {
    "sgd": ({"name": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.001},
            lambda w: torch.optim.SGD(w, 0.05, 0.9, weight_decay=0.001)),
    "adamw": ({"name": "adamw", "lr": 0.002},
              lambda w: torch.optim.AdamW(w, 0.002, weight_decay=0)),
}


def write_idx(path, array):
    with open(path, "wb") as file:
        file.write(struct.pack(">HBB", 0, 8, array.ndim))
        file.write(struct.pack(f">{array.ndim}I", *array.shape))
        file.write(array.astype("u1").tobytes())


class TorchTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="torch-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        chance = numpy.random.default_rng(7)
        # Small whole numbers, so that they can be ids as well.
        self.images = chance.integers(0, 16, (STEPS * BATCH, 1, 14, 14))
        self.labels = chance.integers(0, CLASSES, STEPS * BATCH)
        write_idx(self.path("images"), self.images)
        write_idx(self.path("labels"), self.labels)

    def path(self, name):
        return os.path.join(self.folder, name)

    def spec(self, name, layers, optimizer, divide_by):
        model = {"input": [1, 14, 14], "divide_by": divide_by, "layers": layers}
        split = {"images": self.path("images"), "labels": self.path("labels")}
        spec = {"name": name, "epochs": 1, "batch_size": BATCH, "data": {"train": split},
                "model": model, "optimizer": optimizer}
        with open(self.path("spec.yaml"), "w", encoding="utf-8") as file:
            json.dump(spec, file)  # JSON is YAML
        return model

    def trainer(self, *flags):
        done = subprocess.run(
            [PROGRAM, "--spec", self.path("spec.yaml"), "--output", self.path("out"),
             "--set", "shuffle=false", *flags], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def losses(self, model, make_optimizer, divide_by):
        net = TorchModel(model, read_safetensors(self.path("start")))
        optimizer = make_optimizer(net.trained())
        losses = []
        for step in range(STEPS):
            part = slice(step * BATCH, (step + 1) * BATCH)
            x = torch.from_numpy(self.images[part].astype("f4")) / divide_by
            optimizer.zero_grad()
            loss = F.cross_entropy(net.forward({"input": x}), torch.from_numpy(self.labels[part]))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses, net

    def compare(self, name, layers, optimizer):
        divide_by = divide_by_of(name)
        fields, make = OPTIMIZERS[optimizer]
        model = self.spec(name, layers, fields, divide_by)
        self.trainer("--init-only", "--weights-out", self.path("start"))
        self.trainer("--weights-in", self.path("start"), "--weights-out", self.path("end"),
                     "--losses", self.path("losses.csv"))
        want, net = self.losses(model, make, divide_by)
        with open(self.path("losses.csv"), encoding="utf-8") as file:
            got = [float(row["loss"]) for row in csv.DictReader(file)]
        worst = max(abs(a - b) / max(abs(b), 0.1) for a, b in zip(got, want, strict=True))
        print(f"{name} with {optimizer}: losses of {STEPS} steps differ by {worst:.1e} at most",
              flush=True)
        self.assertLess(worst, 1e-4)
        if optimizer == "adamw":
            return  # where a gradient is but rounding, AdamW makes it a whole step
        for key, tensor in read_safetensors(self.path("end")).items():
            error = (tensor - net.tensors[key]).abs().max().item()
            self.assertLess(error, 3e-3 * max(1, tensor.abs().max().item()), key)

    def test_losses_are_those_of_pytorch(self):
        torch.set_num_threads(1)
        for name, layers in MODELS.items():
            for optimizer in OPTIMIZERS:
                with self.subTest(f"{name} {optimizer}"):
                    self.compare(name, layers, optimizer)


if __name__ == "__main__":
    unittest.main(verbosity=1)
