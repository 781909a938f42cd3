"""Starts baton-trainer as real processes, for the tests beside it."""

import hashlib
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
SPECS = os.path.abspath(sys.argv.pop(1))
SEED = int(os.environ.get("BATON_TEST_SEED", time.time_ns() % 1_000_000))
RANDOM = random.Random(SEED)
STEPS = 314  # of the short spec: 2 epochs of 10,000 samples in batches of 64


class TrainerTest(unittest.TestCase):
    def setUp(self):
        self.folder_holder = tempfile.TemporaryDirectory(prefix="trainer-")
        self.folder = self.folder_holder.name
        self.processes = []
        self.spec = self.write_spec("lenet.yaml")

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.folder_holder.cleanup()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write_spec(self, name, extra="", **changes):
        """The shipped lenet.yaml with two epochs; `changes` replace top-level scalars."""
        changes = {"epochs": 2, **changes}
        lines = []
        with open(os.path.join(SPECS, "lenet.yaml"), encoding="utf-8") as shipped:
            for line in shipped:
                key = line.split(":")[0]
                if key in changes:
                    line = f"{key}: {changes.pop(key)}\n"
                lines.append(line.replace("uri: mnist-small", f"uri: {SPECS}/mnist-small"))
        lines += [f"{key}: {value}\n" for key, value in changes.items()]
        with open(self.path(name), "w", encoding="utf-8") as spec:
            spec.write("".join(lines) + extra)
        return self.path(name)

    def start(self, flags, log="log", env=None):
        with open(self.path(log), "wb") as out:
            process = subprocess.Popen(
                [PROGRAM, *flags], stdout=out, stderr=subprocess.STDOUT, cwd=self.folder,
                env={**os.environ, **(env or {})})
        self.processes.append(process)
        return process

    def start_gang(self, ranks, output, resume="", flags=(), per_rank=None):
        """One process per rank; `per_rank` maps a rank to flags of its own."""
        gang = []
        for rank in range(ranks):
            gang.append(self.start(
                ["--spec", self.spec, "--output", self.path(output), "--rank", str(rank),
                 "--world-size", str(ranks), "--rendezvous", "dir:" + self.path("meet"),
                 "--metrics", self.path(f"{output}-{rank}.jsonl"), "--resume", resume,
                 *flags, *(per_rank or {}).get(rank, ())], log=f"{output}-{rank}.log"))
        return gang

    def wait(self, processes, timeout_s=120):
        return [process.wait(timeout=timeout_s) for process in processes]

    def log(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as text:
            return text.read()

    def progress(self, output, rank=0):
        try:
            with open(self.path(f"{output}-{rank}.jsonl.progress"), "rb") as record:
                return struct.unpack("<q", record.read(8))[0]
        except (FileNotFoundError, struct.error):
            return 0

    def wait_for_step(self, output, step, processes, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while self.progress(output) < step:
            self.assertLess(time.monotonic(), deadline, self.log(f"{output}-0.log"))
            for process in processes:
                self.assertIsNone(process.poll(), self.log(f"{output}-0.log"))
            time.sleep(0.002)

    def checkpoints(self, output):
        folder = self.path(output, "checkpoints")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return [os.path.join(folder, name) for name in sorted(names) if not name.endswith(".tmp")]

    def model(self, output):
        with open(self.path(output, "model.safetensors"), "rb") as model:
            return hashlib.sha256(model.read()).hexdigest()

    def calm_model(self):
        """The model of an undisturbed run of the spec on one rank."""
        self.assertEqual(self.wait(self.start_gang(1, "calm")), [0], self.log("calm-0.log"))
        return self.model("calm")


def main():
    print(f"seed {SEED}; repeat with BATON_TEST_SEED={SEED}", flush=True)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    unittest.main(verbosity=2)
