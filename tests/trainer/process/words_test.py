"""A text through a real trainer: what it prints, the files that others read, and one result for every
number of ranks."""
import json
import os
import struct
import subprocess
import tempfile
import unittest

from trainer_process import PROGRAM, main

ANIMALS, METALS = ["cat", "dog", "cow", "pig"], ["tin", "zinc", "iron", "lead"]


def text():
    """Lines of animals and lines of metals, with `the` in both."""
    lines = []
    for i in range(400):
        words = (ANIMALS, METALS)[i % 2]
        lines.append(" ".join(words[(i // 2 + j) % 4] if j % 3 else "the" for j in range(1, 12)))
    return "\n".join(lines) + "\n"


def read_binary(path):
    with open(path, "rb") as file:
        data = file.read()
    end = data.index(b"\n")
    count, width = map(int, data[:end].split())
    at, rows = end + 1, {}
    for _ in range(count):
        space = data.index(b" ", at)
        rows[data[at:space].decode()] = struct.unpack_from(f"<{width}f", data, space + 1)
        at = space + 2 + 4 * width
    assert at == len(data)
    return rows


def read_text(path):
    with open(path, encoding="utf-8") as file:
        count, width = map(int, file.readline().split())
        lines = [line.rstrip("\n").split(" ") for line in file]
    assert len(lines) == count and all(len(line) == 1 + width for line in lines)
    return {line[0]: tuple(struct.unpack("<f", struct.pack("<f", float(v)))[0] for v in line[1:])
            for line in lines}


class WordsTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="words-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        with open(self.path("t.txt"), "w", encoding="utf-8") as file:
            file.write(text())
        with open(self.path("p.csv"), "w", encoding="utf-8") as file:
            file.write("a,b,score\n" + "".join(
                f"{a},{b},{10 * (family is other)}\n"
                for family in (ANIMALS, METALS) for other in (ANIMALS, METALS)
                for a in family for b in other if a != b))
        with open(self.path("spec.yaml"), "w", encoding="utf-8") as file:
            file.write("""
name: words
epochs: 4
batch_size: 64
shards: 4
seed: 2
data: {format: skip_gram, train: t.txt, pairs: p.csv, negatives: 3, window: 3, min_count: 2}
model:
  inputs: {word: [1], context: [4]}
  initialization: normal
  layers:
    - {name: vectors, inputs: [word], embedding: {vocabulary: 9, width: 8, sparse: true}}
    - {name: contexts, inputs: [context], embedding: {vocabulary: 9, width: 8, sparse: true}}
    - {inputs: [vectors, contexts], dot: {}}
  loss: binary_cross_entropy
optimizer: {name: adam, lr: 0.01}
""")

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, output, *flags):
        return subprocess.Popen(
            [PROGRAM, "--spec", self.path("spec.yaml"), "--device", "cpu", "--output",
             self.path(output), "--metrics", self.path(output + ".jsonl"), *flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def train(self, output, *flags, code=0):
        process = self.start(output, *flags)
        log = process.communicate(timeout=120)[0]
        self.assertEqual(process.returncode, code, log)
        return log

    def test_vectors_are_learned_judged_and_written(self):
        log = self.train("out")
        self.assertIn("(56 pairs of words)", log)
        with open(self.path("out.jsonl"), encoding="utf-8") as file:
            last = [json.loads(line) for line in file][-1]
        self.assertGreater(last["test_rank_correlation"], 0.7)
        self.assertEqual(last["test_count"], 56)
        binary, plain = read_binary(self.path("out/vectors.bin")), read_text(
            self.path("out/vectors.txt"))
        self.assertEqual(binary, plain)
        self.assertEqual(set(binary), {"the", *ANIMALS, *METALS})
        with open(self.path("out/vocabulary.txt"), encoding="utf-8") as file:
            counts = [line.split() for line in file]
        self.assertEqual([word for word, _ in counts], list(binary))
        self.assertEqual({word: int(n) for word, n in counts},
                         {word: text().split().count(word) for word in binary})

    def test_a_run_begins_with_vectors_of_a_file(self):
        self.train("out")
        for name in ("vectors.bin", "vectors.txt"):
            log = self.train("again", "--steps", "1", "--set", "optimizer.lr=1e-30", "--weights-in",
                             self.path("out/" + name))
            self.assertIn("has 9 of the text's 9 words", log)
            self.assertEqual(read_binary(self.path("again/vectors.bin")),
                             read_binary(self.path("out/vectors.bin")))
        with open(self.path("cut.bin"), "wb") as file, open(self.path("out/vectors.bin"), "rb") as all:
            file.write(all.read()[:100])
        log = self.train("no", "--weights-in", self.path("cut.bin"), code=2)
        self.assertIn("cut.bin: at byte 100: it is cut short", log)

    def test_every_number_of_ranks_gives_the_same_files(self):
        alone = self.train("alone")
        gang = [self.start("gang", "--rank", str(rank), "--world-size", "3", "--rendezvous",
                           "dir:" + self.path("meet")) for rank in range(3)]
        logs = [process.communicate(timeout=120)[0] for process in gang]
        self.assertEqual([process.returncode for process in gang], [0, 0, 0], logs)
        self.assertEqual(logs[0][logs[0].index("hash chain"):], alone[alone.index("hash chain"):])
        for name in ("vectors.bin", "model.safetensors"):
            with open(self.path("alone/" + name), "rb") as a, open(self.path("gang/" + name),
                                                                  "rb") as b:
                self.assertEqual(a.read(), b.read(), name)


if __name__ == "__main__":
    main()
