"""The estimate of --dry-run beside the peak of real runs; and what a run says that gets no memory."""
import json
import os
import re
import resource
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
FACTOR = 1.5  # as common/spec/memory.h promises
# Runs a program and prints its peak of memory in KiB; of a process that a large one starts the
# kernel would tell the large one's.
MEASURE = """import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss if status == 0 else -1)"""
DENSE = {"input": [256], "layers": [{"dense": {"out": 4096}}, "relu", {"dense": {"out": 2048}},
                                    "relu", {"dense": {"out": 4}}]}
WIDE = {"input": [3, 48, 48], "layers": [{"conv": {"out": 32, "kernel": 3, "padding": 1}}, "relu",
                                         {"conv": {"out": 32, "kernel": 3, "padding": 1}},
                                         "batch_norm", "relu", "global_pool", {"dense": {"out": 4}}]}
TEXT = {"input": [64], "layers": [{"embedding": {"vocabulary": 200, "width": 64}}, "position",
                                  {"attention": {"heads": 4}}, "layer_norm", {"lstm": {"hidden": 64}},
                                  "last", {"dense": {"out": 4}}]}
SGD, ADAM = {"name": "sgd", "lr": 0.001, "momentum": 0.9}, {"name": "adam", "lr": 0.001}
# Name: model, optimizer, batch_size, shards, threads, samples.
RUNS = {
    "weights": (DENSE, ADAM, 64, 4, 2, 256),
    "weights of one shard": (DENSE, SGD, 64, 1, 1, 256),
    "activations": (WIDE, SGD, 128, 2, 2, 256),
    "a sequence": (TEXT, ADAM, 128, 2, 2, 512),
    "data": ({"input": [2000], "layers": [{"dense": {"out": 4}}]}, SGD, 32, 1, 1, 8000),
}


def write_npy(path, kind, shape, values):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(shape)}, }}\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
        file.write(values)


class MemoryTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="memory-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def spec(self, model, optimizer, batch, shards, samples):
        size = 1
        for extent in model["input"]:
            size *= extent
        write_npy(self.folder + "/x.npy", "|u1", [samples] + model["input"],
                  bytes(range(200)) * (samples * size // 200) + bytes(samples * size % 200))
        write_npy(self.folder + "/y.npy", "|u1", [samples], bytes([0, 1, 2, 3]) * (samples // 4))
        spec = {"name": "m", "epochs": 1, "batch_size": batch, "shards": shards,
                "optimizer": optimizer, "model": model,
                "data": {"format": "npy", "classes": 4,
                         "train": {"values": "x.npy", "target": "y.npy"}, "test_fraction": 0.25}}
        with open(self.folder + "/m.yaml", "w", encoding="utf-8") as file:
            json.dump(spec, file)

    def trainer(self, *flags, **options):
        return subprocess.run([PROGRAM, "--spec", "m.yaml", "--output", "out", "--device", "cpu",
                               *flags], cwd=self.folder, capture_output=True, text=True,
                              check=False, **options)

    def estimate(self, *flags):
        done = self.trainer("--dry-run", "--output", "dry", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(os.path.exists(self.folder + "/dry"), "a dry run leaves nothing")
        size, unit = re.search(r": ([\d.]+) (MiB|GiB)\n", done.stdout).groups()
        return float(size) * (1024 if unit == "GiB" else 1)

    def test_the_estimate_is_near_the_peak(self):
        for name, (model, optimizer, batch, shards, threads, samples) in RUNS.items():
            with self.subTest(name):
                self.spec(model, optimizer, batch, shards, samples)
                flags = ["--threads", str(threads)]
                estimate = self.estimate(*flags)
                told = subprocess.run(
                    [sys.executable, "-c", MEASURE, PROGRAM, "--spec", "m.yaml", "--output", "out",
                     "--device", "cpu", *flags], cwd=self.folder, capture_output=True, text=True,
                    check=True)
                peak = int(told.stdout) / 1024
                print(f"{name}: {estimate:.0f} MiB estimated, {peak:.0f} MiB measured", flush=True)
                self.assertGreater(peak, 0, told.stderr)
                self.assertLess(peak, FACTOR * estimate)
                self.assertLess(estimate, FACTOR * peak)
                subprocess.run(["rm", "-r", self.folder + "/out"], check=True)

    def test_who_gets_no_memory_is_told_what_would_fit(self):
        self.spec(WIDE, SGD, 4096, 1, 4096)
        limit = 1 << 30
        done = self.trainer("--threads", "1", preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_AS, (limit, limit)))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("out of memory", done.stderr)
        self.assertIn("activations", done.stderr)
        self.assertIn("this process may have 1024 MiB", done.stderr)
        batch = int(re.search(r"batch_size: (\d+) would fit", done.stderr).group(1))
        self.assertTrue(64 <= batch < 4096, batch)
        self.assertLess(self.estimate("--set", f"batch_size={batch}", "--threads", "1"), 1024)
        # And it does.
        done = self.trainer("--threads", "1", "--set", f"batch_size={batch // 2}", "--steps", "1",
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS,
                                                                  (limit, limit)))
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
