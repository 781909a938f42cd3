"""`predict` beside PyTorch: the raw outputs of whole models, from the same weights and samples."""
import subprocess
import unittest

import numpy
import torch

from torch_model import TorchModel, read_safetensors
import torch_test

SAMPLES = 150  # more than a batch, and no multiple of one
TWO_INPUTS = {"inputs": {"a": [6], "b": [2, 3]}, "loss": "mean_squared_error", "layers": [
    {"name": "flat", "inputs": ["b"], "flatten": {}}, {"name": "both", "inputs": ["a", "flat"],
                                                       "concat": {}},
    {"dense": {"out": 9}}, "tanh", {"dense": {"out": 4}}]}


class PredictTest(torch_test.TorchTest):
    def setUp(self):
        super().setUp()
        torch.set_num_threads(1)

    def predict(self, *flags):
        done = subprocess.run([torch_test.PROGRAM, "predict", "--weights", self.path("weights"),
                               "--spec", self.path("spec.yaml"), "--output", self.path("y.npy"),
                               *flags], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return numpy.load(self.path("y.npy"))

    def compare(self, name, got, model, inputs):
        net = TorchModel(model, read_safetensors(self.path("weights")))
        net.training = False
        with torch.no_grad():
            want = net.forward(inputs).numpy()
        self.assertEqual(got.dtype, numpy.dtype("<f4"))
        self.assertEqual(got.shape, want.shape)
        worst = numpy.abs(got - want).max() / max(1, numpy.abs(want).max())
        print(f"{name}: outputs differ by {worst:.1e} at most", flush=True)
        self.assertLess(worst, 2e-5)

    test_losses_are_those_of_pytorch = None  # of the base class, which has its own entry

    def test_outputs_are_those_of_pytorch(self):
        for name, layers in torch_test.MODELS.items():
            with self.subTest(name):
                divide_by = 1 if name == "tokens" else 16
                model = self.spec(name, layers, {"name": "sgd", "lr": 0.01}, divide_by)
                # Some steps, so that running statistics are no longer 0 and 1.
                self.trainer("--weights-out", self.path("weights"), "--steps", "3")
                x = self.images[:SAMPLES]
                torch_test.write_idx(self.path("x-idx"), x)
                numpy.save(self.path("x.npy"), x.astype("u1"))
                numpy.savez_compressed(self.path("x.npz"), other=x[:1], x=x.astype("f8"))
                inputs = {"input": torch.from_numpy(x.astype("f4")) / divide_by}
                got = self.predict("--input", self.path("x.npy"))
                self.compare(name, got, model, inputs)
                # Whatever the file, and at every number of threads: the same bits.
                for flags in (["--input", self.path("x-idx")],
                              ["--input", self.path("x.npz:x")],
                              ["--input", self.path("x.npy"), "--threads", "1"],
                              ["--input", self.path("x.npy"), "--threads", "3"]):
                    self.assertEqual(self.predict(*flags).tobytes(), got.tobytes(), flags)

    def test_several_inputs(self):
        chance = numpy.random.default_rng(11)
        arrays = {"a": chance.normal(size=(SAMPLES, 6)).astype("f4"),
                  "b": chance.normal(size=(SAMPLES, 2, 3)).astype("f4")}
        for name, array in arrays.items():
            numpy.save(self.path(name + ".npy"), array)
        numpy.save(self.path("target.npy"), numpy.zeros((SAMPLES, 4), "f4"))
        train = {"inputs": {n: self.path(n + ".npy") for n in arrays},
                 "target": self.path("target.npy")}
        spec = {"name": "two", "epochs": 1, "batch_size": 8, "model": TWO_INPUTS,
                "data": {"format": "npy", "train": train}, "optimizer": {"name": "sgd", "lr": 0.1}}
        with open(self.path("spec.yaml"), "w", encoding="utf-8") as file:
            torch_test.json.dump(spec, file)
        self.trainer("--init-only", "--weights-out", self.path("weights"))
        inputs = {n: torch.from_numpy(array) for n, array in arrays.items()}
        named = [f"{n}={self.path(n + '.npy')}" for n in ("b", "a")]
        got = self.predict("--input", named[0], "--input", named[1])
        self.compare("two inputs", got, TWO_INPUTS, inputs)
        numpy.savez(self.path("both.npz"), **arrays)
        self.assertEqual(self.predict("--input", self.path("both.npz")).tobytes(), got.tobytes())


if __name__ == "__main__":
    unittest.main(verbosity=1)
