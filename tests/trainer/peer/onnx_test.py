"""Models that leave as ONNX give in onnxruntime what PyTorch gives with the same weights."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import numpy
import torch

from models import CLASSES, MODELS, divide_by_of
from torch_model import TorchModel, read_safetensors

PROGRAM, PEERS = map(os.path.abspath, (sys.argv.pop(1), sys.argv.pop(1)))
if not os.path.exists(PEERS):
    sys.exit(f"no {PEERS}: run deploy/install_peers.sh")
RUN_ONNX = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_onnx.py")
COUNTS = (1, 7)  # the batch is free


class OnnxTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="onnx-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def export(self, layers):
        model = {"input": [1, 14, 14], "divide_by": 3, "layers": layers}
        split = {"images": "images", "labels": "labels"}
        spec = {"epochs": 1, "batch_size": 4, "data": {"train": split, "classes": CLASSES},
                "model": model, "optimizer": {"name": "sgd", "lr": 0.1}}
        with open(self.path("spec.yaml"), "w", encoding="utf-8") as file:
            json.dump(spec, file)
        done = subprocess.run(
            [PROGRAM, "--spec", self.path("spec.yaml"), "--init-only", "--weights-out",
             self.path("weights"), "--onnx", self.path("model.onnx")],
            capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return model

    def compare(self, name, layers):
        net = TorchModel(self.export(layers), read_safetensors(self.path("weights")))
        net.training = False
        chance = numpy.random.default_rng(3)
        for count in COUNTS:
            # What the layers see: an exported model takes values that are divided already.
            x = chance.integers(0, 16, (count, 1, 14, 14)).astype("f4") / divide_by_of(name)
            numpy.save(self.path("x.npy"), x)
            subprocess.run([PEERS, RUN_ONNX, self.path("model.onnx"), self.path("x.npy"),
                            self.path("y.npy")], check=True)
            got = numpy.load(self.path("y.npy"))
            with torch.no_grad():
                want = net.forward({"input": torch.from_numpy(x)}).numpy()
            self.assertEqual(got.shape, want.shape)
            worst = numpy.abs(got - want).max() / max(numpy.abs(want).max(), 1)
            self.assertLess(worst, 1e-5)
        print(f"{name}: outputs differ by {worst:.1e} at most", flush=True)

    def test_outputs_are_those_of_pytorch(self):
        for name, layers in MODELS.items():
            with self.subTest(name):
                self.compare(name, layers)


if __name__ == "__main__":
    unittest.main(verbosity=1)
