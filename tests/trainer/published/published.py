"""Starts baton-trainer on the shipped specs of published models, on random pictures."""
import csv
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest

import numpy
import torch

PROGRAM = os.path.abspath(sys.argv.pop(1))
SPECS = os.path.abspath(sys.argv.pop(1))
CLASSES = 5
torch.set_num_threads(1)


def write_idx(path, array):
    with open(path, "wb") as file:
        file.write(struct.pack(">HBB", 0, 8, array.ndim))
        file.write(struct.pack(f">{array.ndim}I", *array.shape))
        file.write(array.astype("u1").tobytes())


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(data, "<f4", (end - begin) // 4, 8 + size + begin)
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors


def layers_of(spec, word):
    """Indices of the layers of a kind: each is one line of the spec."""
    with open(os.path.join(SPECS, spec + ".yaml"), encoding="utf-8") as file:
        lines = file.read().split("\n  layers:\n")[1].splitlines()
    lines = [line for line in lines if line.startswith("    - ")]
    return [i for i, line in enumerate(lines) if re.search(rf"\b{word}\b", line)]


class PublishedTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="published-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_trainer(self, spec, *flags, env=None):
        return subprocess.run(
            [PROGRAM, "--spec", os.path.join(SPECS, spec + ".yaml"), "--output", self.path("out"),
             "--device", "cpu", *flags], capture_output=True, text=True, check=False, env=env)

    def trainer(self, spec, *flags):
        done = self.run_trainer(spec, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def pictures(self, count, size):
        """Flags for a training on random pictures; these, and their labels."""
        chance = numpy.random.default_rng(3)
        images = chance.integers(0, 256, (count, 3, size, size))
        labels = chance.integers(0, CLASSES, count)
        write_idx(self.path("images"), images)
        write_idx(self.path("labels"), labels)
        files = f"{{images: {self.path('images')}, labels: {self.path('labels')}}}"
        flags = ["--set", f"data={{train: {files}, test: {files}}}",
                 "--set", f"model.input=[3, {size}, {size}]", "--set", f"batch_size={count}",
                 "--set", "shuffle=false", "--set", "shards=1", "--set", "ranks=1",
                 "--set", "epochs=1"]
        return flags, torch.from_numpy(images.astype("f4") / 255), torch.from_numpy(labels)

    def losses(self):
        with open(self.path("losses.csv"), encoding="utf-8") as file:
            return [float(row["loss"]) for row in csv.DictReader(file)]


def randomize(module, seed):
    """Weights with which no activation dies or explodes."""
    torch.manual_seed(seed)
    for tensor in module.parameters():
        if tensor.dim() > 1:
            torch.nn.init.kaiming_normal_(tensor)
        else:
            torch.nn.init.uniform_(tensor, -0.1, 0.1)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.5, 1)
            torch.nn.init.uniform_(layer.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(layer.running_var, 0.5, 1)
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
