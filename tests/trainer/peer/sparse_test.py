"""Sparse embeddings beside nn.Embedding(sparse=True) with SGD and SparseAdam: 50 steps."""
import csv
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

import numpy
import torch
import torch.nn.functional as F

from torch_model import read_safetensors

PROGRAM = os.path.abspath(sys.argv.pop(1))
STEPS = 50
BATCH = 8
CLASSES = 3
ROWS = 256  # a batch names at most 32 of them
WIDTH = 6
OPTIMIZERS = {
    "sgd": ({"name": "sgd", "lr": 0.5}, lambda table: torch.optim.SGD(table, 0.5),
            lambda dense: torch.optim.SGD(dense, 0.5)),
    "adam": ({"name": "adam", "lr": 0.01}, lambda table: torch.optim.SparseAdam(table, 0.01),
             lambda dense: torch.optim.Adam(dense, 0.01)),
}


def write_idx(path, array):
    with open(path, "wb") as file:
        file.write(struct.pack(">HBB", 0, 8, array.ndim))
        file.write(struct.pack(f">{array.ndim}I", *array.shape))
        file.write(array.astype("u1").tobytes())


class SparseTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="sparse-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        chance = numpy.random.default_rng(3)
        self.ids = chance.integers(0, ROWS, (STEPS * BATCH, 1, 4))
        self.labels = chance.integers(0, CLASSES, STEPS * BATCH)
        write_idx(self.path("ids"), self.ids)
        write_idx(self.path("labels"), self.labels)

    def path(self, name):
        return os.path.join(self.folder, name)

    def train(self, optimizer):
        spec = {"name": "sparse", "epochs": 1, "batch_size": BATCH, "shuffle": False,
                "data": {"train": {"images": self.path("ids"), "labels": self.path("labels")}},
                "model": {"input": [1, 1, 4], "layers": [
                    "flatten", {"name": "table", "embedding": {"vocabulary": ROWS, "width": WIDTH,
                                                               "sparse": True}},
                    {"global_pool": {"kind": "average"}}, {"name": "out", "dense": CLASSES}]},
                "optimizer": optimizer}
        with open(self.path("spec.yaml"), "w", encoding="utf-8") as file:
            json.dump(spec, file)
        for flags in (["--init-only", "--weights-out", self.path("start")],
                      ["--weights-in", self.path("start"), "--weights-out", self.path("end"),
                       "--losses", self.path("losses.csv")]):
            done = subprocess.run([PROGRAM, "--spec", self.path("spec.yaml"), "--output",
                                   self.path("out"), *flags], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("losses.csv"), encoding="utf-8") as file:
            return [float(row["loss"]) for row in csv.DictReader(file)]

    def peer(self, make_table, make_dense):
        start = read_safetensors(self.path("start"))
        table = torch.nn.Embedding.from_pretrained(start["table.weight"], freeze=False, sparse=True)
        dense = [start["out.weight"].requires_grad_(), start["out.bias"].requires_grad_()]
        optimizers = [make_table(list(table.parameters())), make_dense(dense)]
        losses = []
        for step in range(STEPS):
            part = slice(step * BATCH, (step + 1) * BATCH)
            rows = table(torch.from_numpy(self.ids[part].reshape(BATCH, 4)))
            loss = F.cross_entropy(F.linear(rows.mean(1), *dense),
                                   torch.from_numpy(self.labels[part]))
            table.weight.grad = None
            for tensor in dense:
                tensor.grad = None
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            losses.append(loss.item())
        return losses, table.weight.detach()

    def test_losses_and_rows_are_those_of_pytorch(self):
        torch.set_num_threads(1)
        for name, (fields, make_table, make_dense) in OPTIMIZERS.items():
            with self.subTest(name):
                got = self.train(fields)
                want, table = self.peer(make_table, make_dense)
                worst = max(abs(a - b) / b for a, b in zip(got, want, strict=True))
                mine = read_safetensors(self.path("end"))["table.weight"]
                error = (mine - table).abs().max().item()
                print(f"{name}: losses of {STEPS} steps differ by {worst:.1e} at most, rows by "
                      f"{error:.1e}", flush=True)
                self.assertLess(worst, 1e-4)
                self.assertLess(error, 1e-4)
                start = read_safetensors(self.path("start"))["table.weight"]
                self.assertGreater((mine - start).abs().max().item(), 0.02, "it trained")


if __name__ == "__main__":
    unittest.main(verbosity=1)
