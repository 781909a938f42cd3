"""`baton-trainer predict` as a user has it: what it says of a test file is what the training said,
streams, and mistakes with their places."""
import csv
import gzip
import json
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import unittest

from trainer_process import PROGRAM, RANDOM, SPECS, TrainerTest, main


def npy(shape, values=b"", kind="<f4"):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + values


def read_text(*names):
    with open(os.path.join(*names), encoding="utf-8") as file:
        return file.read()


# Runs a program and prints its peak of memory in KiB. Of a process that a large one starts the
# kernel would tell the large one's.
MEASURE = """import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss if status == 0 else -1)"""


def read_npy(path):
    with open(path, "rb") as file:
        data = file.read()
    size, = struct.unpack("<H", data[8:10])
    header = data[10:10 + size].decode()
    shape = [int(n) for n in re.search(r"\((.*?)\)", header).group(1).split(",") if n.strip()]
    return shape, list(struct.unpack(f"<{math.prod(shape)}f", data[10 + size:]))


class PredictTest(TrainerTest):
    def run_trainer(self, *flags, code=0):
        done = subprocess.run([PROGRAM, *flags], cwd=self.folder, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done

    def predict(self, *flags, code=0):
        return self.run_trainer("predict", *flags, code=code)

    def mistake(self, *flags):
        return self.predict(*flags, code=2).stderr

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def rows(self, name):
        with open(self.path(name), encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def split_table(self, source, test_share=4):
        """Every fourth row into test.csv, the others into train.csv."""
        with open(os.path.join(SPECS, source), encoding="utf-8") as file:
            header, *lines = file.readlines()
        self.write("train.csv", header + "".join(l for i, l in enumerate(lines) if i % test_share))
        self.write("test.csv", header + "".join(lines[::test_share]))

    def train(self, preset, *sets):
        shutil.copy(os.path.join(SPECS, preset), self.path("spec.yaml"))
        flags = [f for s in sets for f in ("--set", s)]
        self.run_trainer("--spec", "spec.yaml", "--output", "run", *flags)
        with open(self.path("run", "model.json"), encoding="utf-8") as file:
            return json.load(file)

    def train_prices(self, epochs):
        self.split_table("prices/instances.csv")
        rows = self.rows("train.csv")
        one_hot = {(n, row[n]) for row in rows for n in ("provider", "region", "gpu")}
        self.width = len(one_hot) + 3
        text = read_text(SPECS, "regression.yaml").replace("input: [121]", f"input: [{self.width}]")
        text = re.sub(r"  train:\n    uri: .*\n    sha256: .*\n  test_fraction: .*\n",
                      "  train: train.csv\n  test: test.csv\n", text)
        self.write("own.yaml", text)
        self.run_trainer("--spec", "own.yaml", "--output", "run", "--set", f"epochs={epochs}")
        with open(self.path("run", "model.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_regression_in_the_targets_unit(self):
        card = self.train_prices(4)
        self.predict("--model", "run", "--input", "test.csv", "--output", "y.csv")
        truth = [float(row["usd_per_hour"]) for row in self.rows("test.csv")]
        got = [float(row["usd_per_hour"]) for row in self.rows("y.csv")]
        rmse = math.sqrt(sum((a - b) ** 2 for a, b in zip(got, truth, strict=True)) / len(truth))
        self.assertEqual(card["test"]["samples"], len(truth))
        self.assertAlmostEqual(rmse, card["test"]["rmse"], delta=1e-4 * rmse)
        # Columns in another order, the target gone: the same predictions.
        names = [n for n in self.rows("test.csv")[0] if n != "usd_per_hour"]
        RANDOM.shuffle(names)
        with open(self.path("mixed.csv"), "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self.rows("test.csv"))
        self.predict("--model", "run", "--input", "mixed.csv", "--output", "mixed-y.csv")
        self.assertEqual(self.rows("mixed-y.csv"), self.rows("y.csv"))
        # Without model.json the scales are learned again from the spec's data.
        shutil.copy(self.path("run", "model.safetensors"), self.path("alone.safetensors"))
        alone = ["--weights", "alone.safetensors", "--spec", "own.yaml", "--input", "test.csv"]
        self.predict(*alone, "--output", "alone.csv")
        self.assertEqual(self.rows("alone.csv"), self.rows("y.csv"))
        os.rename(self.path("train.csv"), self.path("gone.csv"))
        told = self.mistake(*alone)
        self.assertIn("train.csv", told)
        self.assertIn("--model FOLDER", told)

    def test_binary_by_its_names(self):
        self.split_table("breast-cancer/breast-cancer.csv")
        for name in ("train.csv", "test.csv"):
            rows = self.rows(name)
            for row in rows:
                row["class"] = "benign" if row["class"] in ("1", "1.0") else "malignant"
            with open(self.path(name), "w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        text = read_text(SPECS, "binary.yaml")
        text = re.sub(r"  train:\n    uri: .*\n    sha256: .*\n  test_fraction: .*\n",
                      "  train: train.csv\n  test: test.csv\n  index: [class]\n", text)
        self.write("own.yaml", text)
        self.run_trainer("--spec", "own.yaml", "--output", "run", "--set", "epochs=5")
        with open(self.path("run", "labels.txt"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "benign\nmalignant\n")
        with open(self.path("run", "model.json"), encoding="utf-8") as file:
            accuracy = json.load(file)["test"]["accuracy"]
        self.predict("--model", "run", "--input", "test.csv", "--output", "y.json")
        with open(self.path("y.json"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        truth = [row["class"] for row in self.rows("test.csv")]
        right = sum(a["label"] == b for a, b in zip(lines, truth, strict=True))
        self.assertAlmostEqual(right / len(truth), accuracy, delta=1e-9)
        for line in lines:
            probability = line["probabilities"]["class"]
            self.assertEqual(line["label"], "malignant" if probability > 0.5 else "benign")
        self.predict("--model", "run", "--input", "test.csv", "--output", "y.npy")
        shape, raw = read_npy(self.path("y.npy"))
        self.assertEqual(shape, [len(truth), 1])
        for line, logit in zip(lines, raw):
            self.assertAlmostEqual(line["probabilities"]["class"], 1 / (1 + math.exp(-logit)),
                                   delta=1e-6)

    def test_images_and_the_figures_of_their_test(self):
        self.run_trainer("--spec", self.spec, "--output", "run", "--steps", "60")
        with open(self.path("run", "model.json"), encoding="utf-8") as file:
            accuracy = json.load(file)["test"]["accuracy"]
        images = os.path.join(SPECS, "mnist-small", "t10k-images-idx3-ubyte.gz")
        with gzip.open(images.replace("images-idx3", "labels-idx1")) as file:
            labels = list(file.read()[8:])
        told = self.predict("--model", "run", "--input", images, "--output", "y.csv", "--summary",
                            "json").stdout
        figures = json.loads(told)
        self.assertEqual(figures["samples"], len(labels))
        for figure in ("load_s", "first_sample_s", "sample_s"):
            self.assertGreater(figures[figure], 0)
        rows = self.rows("y.csv")
        right = sum(int(row["label"]) == label for row, label in zip(rows, labels, strict=True))
        self.assertAlmostEqual(right / len(labels), accuracy, delta=1e-9)
        for row in rows:
            scores = [float(row[str(c)]) for c in range(10)]
            self.assertAlmostEqual(sum(scores), 1, delta=1e-5)
            self.assertEqual(float(row["score"]), max(scores))
        self.predict("--model", "run", "--input", images, "--output", "top.csv", "--top", "2")
        self.assertEqual(list(self.rows("top.csv")[0]),
                         ["sample", "label_1", "score_1", "label_2", "score_2"])
        table = self.predict("--model", "run", "--input", images, "--top", "3").stdout.splitlines()
        self.assertEqual(len(table), len(labels) + 1)
        self.assertEqual(table[1].count("%"), 3)
        self.assertEqual(table[1].split()[1], rows[0]["label"])

    def test_forecasts_go_beyond_the_last_row(self):
        self.train("airline.yaml", "epochs=2", f"data.train.uri={SPECS}/airline/airline-passengers.csv")
        with open(os.path.join(SPECS, "airline", "airline-passengers.csv"),
                  encoding="utf-8") as file:
            lines = file.readlines()
        self.write("series.csv", "".join(lines))
        self.predict("--model", "run", "--input", "series.csv", "--output", "y.csv")
        rows = self.rows("y.csv")
        self.assertEqual(len(rows), len(lines) - 1 - 12 + 1)
        self.assertEqual([rows[0]["sample"], rows[-1]["sample"]], ["11", str(len(lines) - 2)])
        # The forecast after the last row looks at the last twelve alone.
        self.write("tail.csv", lines[0] + "".join(lines[-12:]))
        self.predict("--model", "run", "--input", "tail.csv", "--output", "tail-y.csv")
        self.assertEqual(self.rows("tail-y.csv")[0]["Passengers+1"], rows[-1]["Passengers+1"])
        self.write("short.csv", lines[0] + "".join(lines[-11:]))
        self.assertIn("has 11 rows; a sample is 12 rows",
                      self.mistake("--model", "run", "--input", "short.csv"))

    def test_anomalies_by_the_error_that_the_test_was_judged_by(self):
        told = self.run_trainer("--spec", os.path.join(SPECS, "anomaly.yaml"), "--output", "run",
                                "--set", "epochs=3").stdout
        with gzip.open(os.path.join(SPECS, "machine-temperature", "machine-temperature.csv.gz"),
                       "rt") as file:
            rows = list(csv.DictReader(file))
        tested = rows[9078:]
        self.write("series.csv", "value\n" + "".join(row["value"] + "\n" for row in tested))
        self.predict("--model", "run", "--input", "series.csv", "--output", "y.csv")
        errors = [float(row["error"]) for row in self.rows("y.csv")]
        marks = [any(row["anomaly"] == "1" for row in tested[i:i + 48])
                 for i in range(len(tested) - 47)]
        self.assertEqual(len(errors), len(marks))
        order = sorted(range(len(errors)), key=errors.__getitem__)
        ranks = sum(rank for rank, i in enumerate(order, 1) if marks[i])
        bad = sum(marks)
        auc = (ranks - bad * (bad + 1) / 2) / bad / (len(marks) - bad)
        said = re.search(r"test auc ([\d.]+) of (\d+) anomalies", told.splitlines()[-2])
        self.assertEqual(int(said[2]), bad)
        self.assertAlmostEqual(float(said[1]), auc, delta=2e-4)

    def test_a_large_file_streams(self):
        self.run_trainer("--spec", self.spec, "--init-only", "--weights-out", "w")
        count, piece = 60_000, random.Random(1).randbytes(784) * 1000
        with open(self.path("x.npy"), "wb") as file:
            file.write(npy((count, 1, 28, 28), kind="|u1"))
            for _ in range(count // 1000):
                file.write(piece)
        peaks = []
        for samples in (2000, count):
            with open(self.path("x.npy"), "rb") as file:
                file.seek(len(npy((count, 1, 28, 28), kind="|u1")))
                self.write("some.npy", npy((samples, 1, 28, 28), file.read(784 * samples), "|u1"))
            told = subprocess.run(
                [sys.executable, "-c", MEASURE, PROGRAM, "predict", "--weights", "w", "--spec",
                 self.spec, "--input", "some.npy", "--output", "y.npy", "--threads", "1"],
                cwd=self.folder, capture_output=True, text=True, check=True).stdout
            peaks.append(int(told))
            self.assertGreater(peaks[-1], 0)
        shape, values = read_npy(self.path("y.npy"))
        self.assertEqual(shape, [count, 10])
        # Samples repeat; how many are computed at once may show in the last bits only.
        self.assertAlmostEqual(values[10], values[10 * 1001], delta=1e-6)
        self.assertLess(peaks[1], peaks[0] + 4096, "KiB: memory grows with the file")

    def test_mistakes_have_their_place(self):
        self.train_prices(1)
        model = ["--model", "run"]
        header, first, *_ = read_text(self.path("test.csv")).splitlines()
        names = header.split(",")

        def row(**fields):
            values = dict(zip(names, first.split(",")))
            values.update(fields)
            return header + "\n" + first + "\n" + ",".join(values[n] for n in names) + "\n"
        for text, told in (
                (row(vcpus="many"), "bad.csv:3: column 'vcpus': 'many' is no number"),
                (row(memory_gib=""), "bad.csv:3: column 'memory_gib' has no value"),
                (header + "\n" + first + ",9\n", "bad.csv:2: has "),
                (header + "\n", "has 0 rows"),
                ("a,b\n1,2\n", "needs the columns 'provider', 'region', 'gpu', 'gpu_count', "
                               "'vcpus', 'memory_gib'; the file has a, b"),
                ("", "is empty")):
            self.assertIn(told, self.mistake(*model, "--input", self.write("bad.csv", text)))
        # A text that one_hot never saw is no category, and is told.
        told = self.predict(*model, "--input", self.write("new.csv", row(region="Mars"))).stderr
        self.assertIn("new.csv:3: column 'region': the training has no 'Mars'", told)

        width = self.width
        values = struct.pack(f"<{width}f", *range(width))
        nan = values[:28] + struct.pack("<f", math.nan) + values[32:]
        for data, told in (
                (npy(f"(1, {width - 1})", values[4:]),
                 f"holds 1 x {width - 1} values, samples first, but the model's input is {width};"),
                (npy(f"(2, {width})", values + nan), "the value at (1, 7) is nan"),
                (npy(f"(2, {width})", values), f"ends after {width} of {2 * width} values"),
                (npy(f"(1, {width})", values + b"x"), "more bytes than its shape")):
            self.assertIn(told, self.mistake(*model, "--input", self.write("bad.npy", data)))
        self.predict(*model, "--input", self.write("one.npy", npy(f"({width},)", values)))

        with open(self.path("run", "model.safetensors"), "rb") as file:
            weights = file.read()
        self.write("less.safetensors", weights.replace(b'"dense1.bias"', b'"dense1.bios"'))
        ready = ["--spec", "own.yaml", "--input", "one.npy"]
        told = self.mistake("--weights", "less.safetensors", *ready)
        self.assertIn("less.safetensors: does not fit the model; not in it: dense1.bias; it has instead", told)
        self.assertIn("dense1.bias", told)
        for flags, told in (
                (["--input", "one.npy"], "no model: give --model"),
                (["--weights", "less.safetensors", "--input", "one.npy"], "give --spec FILE"),
                (["--model", "nowhere", "--input", "one.npy"], "there is no model.safetensors"),
                ([*model], "give --input FILE"),
                ([*model, "--input", "none.npy"], "none.npy"),
                ([*model, "--input", "one.npy", "--output", "y.txt"], "end its name with .npy"),
                ([*model, "--input", "one.npy", "--output", "no/y.npy"], "no/y.npy")):
            self.assertIn(told, self.mistake(*flags))
        card = read_text(self.path("run", "model.json"))
        for text, told in ((card[:-9], "is no JSON object"),
                           (card.replace("baton-model/1", "baton-model/9"), "not of the format"),
                           (card.replace('"unit": ', '"unit": -', 1), "by no number above 0"),
                           (card.replace('"targets"', '"aims"'), "'targets' not found")):
            self.write("run/model.json", text)
            self.assertIn(told, self.mistake(*model, "--input", "one.npy"))
        # What failed leaves no file that looks whole.
        self.write("run/model.json", card)
        self.mistake(*model, "--input", "bad.npy", "--output", "y.csv")
        self.assertFalse([n for n in os.listdir(self.folder) if n.startswith("y.")])


if __name__ == "__main__":
    main()
