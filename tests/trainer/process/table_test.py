"""Tables larger than memory: a run of a real trainer whose private memory is limited to a fraction of
its table, and what it writes.

    python3 tests/trainer/process/table_test.py build/release/bin/baton-trainer trainer/specs
    BATON_TABLE_ROWS=16777216 BATON_TABLE_MEMORY_MIB=2048 python3 ..   (8 GiB; about 40 GB of disk)
    BATON_TABLE_CGROUP=/sys/fs/cgroup/memory/baton-table python3 ..    (also in this memory cgroup)

The limit is RLIMIT_DATA: what the process may allocate for itself, heap, stacks and private mappings.
The table is a shared mapping of a file, which does not count, and which the kernel may drop from
memory at any time. With a memory cgroup (version 1, as root; it is made, limited to the same size,
and removed), the file's pages count as well.
"""
import os
import resource
import struct
import subprocess
import tempfile
import unittest

from trainer_process import PROGRAM, main

ROWS = int(os.environ.get("BATON_TABLE_ROWS", 1 << 19))
MEMORY_MIB = int(os.environ.get("BATON_TABLE_MEMORY_MIB", 64))
CGROUP = os.environ.get("BATON_TABLE_CGROUP", "")
WIDTH = 128
TABLE_MIB = ROWS * WIDTH * 4 >> 20
SAMPLES = 4000
STEPS = 120  # past one link of the hash chain


class TableTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="table-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        with open(self.path("t.csv"), "w", encoding="utf-8") as file:
            file.write("id,y\n")
            for i in range(SAMPLES):
                file.write(f"{(i * 7919 * 131 + 17) % ROWS},{i % 2}\n")

        if CGROUP:
            os.makedirs(CGROUP, exist_ok=True)
            self.addCleanup(os.rmdir, CGROUP)
            self.tell("memory.limit_in_bytes", MEMORY_MIB << 20)

    @staticmethod
    def tell(name, value):
        with open(os.path.join(CGROUP, name), "w", encoding="utf-8") as file:
            file.write(str(value))

    def path(self, name):
        return os.path.join(self.folder, name)

    def spec(self, storage):
        with open(self.path("spec.yaml"), "w", encoding="utf-8") as file:
            file.write(f"""
name: table
epochs: 1
batch_size: 32
seed: 3
checkpoint: {{every_steps: 100}}
data: {{format: csv, train: t.csv, target: y, features: [id]}}
model:
  input: [1]
  initialization: normal
  layers:
    - {{name: table, embedding: {{vocabulary: {ROWS}, width: {WIDTH}{storage}}}}}
    - flatten
    - {{name: out, dense: 1}}
  loss: binary_cross_entropy
optimizer: {{name: sgd, lr: 0.5}}
""")

    def run_limited(self, *flags):
        """Exit code, output, and the most private memory that the process had, in MiB."""
        def limit():
            size = MEMORY_MIB << 20
            resource.setrlimit(resource.RLIMIT_DATA, (size, size))
            if CGROUP:
                self.tell("cgroup.procs", os.getpid())
        with open(self.path("log"), "w+", encoding="utf-8") as log:
            process = subprocess.Popen(
                [PROGRAM, "--spec", self.path("spec.yaml"), "--device", "cpu", "--threads", "1",
                 "--steps", str(STEPS), *flags], stdout=log, stderr=log, preexec_fn=limit)
            most = 0
            while process.poll() is None:
                try:
                    with open(f"/proc/{process.pid}/status", encoding="utf-8") as status:
                        fields = dict(line.split(":", 1) for line in status)
                    most = max(most, int(fields.get("RssAnon", "0 kB").split()[0]) >> 10)
                except OSError:
                    pass
                try:
                    process.wait(0.02)
                except subprocess.TimeoutExpired:
                    pass
            log.seek(0)
            return process.returncode, log.read(), most

    def row_sums(self, path):
        """Something of each part of the file that does not need it in memory."""
        with open(path, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            sums = []
            for row in range(0, ROWS, ROWS // 64):
                file.seek(8 + size + row * WIDTH * 4)
                sums.append(struct.unpack(f"<{WIDTH}f", file.read(WIDTH * 4)))
            return sums

    def test_a_table_four_times_the_memory_is_trained_saved_and_resumed(self):
        self.assertGreaterEqual(TABLE_MIB, 4 * MEMORY_MIB)
        self.spec(", storage: mmap")
        code, log, most = self.run_limited("--output", self.path("out"))
        self.assertEqual(code, 0, log)
        print(f"a table of {TABLE_MIB} MiB: {most} MiB of private memory at most, "
              f"{MEMORY_MIB} allowed", flush=True)
        self.assertLess(most, MEMORY_MIB)
        chain = log[log.index("hash chain"):]
        self.assertEqual(os.path.getsize(self.path("out/model.safetensors")) >> 20, TABLE_MIB)
        self.assertEqual([], [name for name in os.listdir(self.path("out")) if "table-" in name])

        code, log, most = self.run_limited("--output", self.path("again"), "--resume",
                                           self.path("out/checkpoints/step-00000100"))
        self.assertEqual(code, 0, log)
        self.assertIn("resumed from step 100", log)
        self.assertLess(most, MEMORY_MIB)
        self.assertEqual(log[log.index("hash chain"):], chain)
        self.assertEqual(self.row_sums(self.path("again/model.safetensors")),
                         self.row_sums(self.path("out/model.safetensors")))

        code, log, most = self.run_limited("--output", self.path("third"), "--weights-in",
                                           self.path("out/model.safetensors"))
        self.assertEqual(code, 0, log)
        self.assertLess(most, MEMORY_MIB)

    def test_the_limit_is_one(self):
        """The same table in memory does not get through: else the test above would show nothing."""
        self.spec(", sparse: true")
        code, log, _ = self.run_limited("--output", self.path("out"))
        self.assertNotEqual(code, 0, log)


if __name__ == "__main__":
    main()
