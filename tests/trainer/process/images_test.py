"""Real trainers on folders of pictures: one result for every number of ranks and every amount of
memory, damaged files told by name, and bottlenecks that are computed once."""

import csv
import os
import shutil
import subprocess

from trainer_process import PROGRAM, RANDOM, SPECS, TrainerTest, main

DRAWINGS = os.path.join(SPECS, "quickdraw-small", "drawings")
HEAD = """
name: small
ranks: 1..4
epochs: 2
batch_size: 16
shards: 4
data:
  format: images
  train: pictures
  test_fraction: 0.2
  {data}
model:
  input: [1, 20, 20]
  divide_by: 255
  layers:
    - {{conv: {{out: 8, kernel: 3}}, frozen: {frozen}}}
    - {{batch_norm: , frozen: {frozen}}}
    - relu
    - max_pool: {{kernel: 3}}
    - flatten
    - dropout: {{rate: 0.2}}
    - dense: {classes}
optimizer: {{name: adam, lr: 0.01}}
"""


class ImagesTest(TrainerTest):
    def setUp(self):
        super().setUp()
        for kind in sorted(os.listdir(DRAWINGS)):
            os.makedirs(self.path("pictures", kind))
            for name in sorted(os.listdir(os.path.join(DRAWINGS, kind)))[:24]:
                shutil.copy(os.path.join(DRAWINGS, kind, name), self.path("pictures", kind))

    def write(self, name="images.yaml", data="", frozen="false", classes=5):
        self.spec = self.path(name)
        with open(self.spec, "w", encoding="utf-8") as out:
            out.write(HEAD.format(data=data, frozen=frozen, classes=classes))
        return self.spec

    def run_one(self, output, *flags, code=0):
        log = output + ".log"
        process = self.start(["--spec", self.spec, "--output", self.path(output), *flags], log=log)
        self.assertEqual(self.wait([process]), [code], self.log(log))
        return self.log(log)

    def predict(self, *flags, code=0):
        done = subprocess.run([PROGRAM, "predict", *flags], cwd=self.folder, capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def rows(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def test_predicts_what_it_was_tested_on(self):
        self.write(data="test: tested\n  mean: [0.2]\n  std: [0.4]")
        with open(self.spec, encoding="utf-8") as file:
            text = file.read().replace("  test_fraction: 0.2\n", "")
        with open(self.spec, "w", encoding="utf-8") as file:
            file.write(text)
        for kind in sorted(os.listdir(DRAWINGS)):
            os.makedirs(self.path("tested", kind))
            for name in sorted(os.listdir(os.path.join(DRAWINGS, kind)))[30:50]:
                shutil.copy(os.path.join(DRAWINGS, kind, name), self.path("tested", kind))
        log = self.run_one("run", "--set", "epochs=4")
        self.predict("--model", "run", "--input", "tested", "--output", "y.csv")
        rows = self.rows("y.csv")
        self.assertEqual([row["sample"] for row in rows], sorted(row["sample"] for row in rows))
        hits = sum(row["sample"].split("/")[0] == row["label"] for row in rows)
        self.assertEqual(len(rows), 100)
        self.assertGreater(hits, 40)
        self.assertIn(f"test accuracy {hits:.2f} % (100 samples)", log)
        # One of them alone, and one that is none.
        one = rows[37]["sample"]
        self.predict("--model", "run", "--input", os.path.join("tested", one), "--output", "1.csv")
        alone, = self.rows("1.csv")
        self.assertEqual(alone["label"], rows[37]["label"])
        # A batch of one sums in another order.
        self.assertAlmostEqual(float(alone["score"]), float(rows[37]["score"]), delta=1e-5)
        with open(self.path("tested", "notes.txt"), "w", encoding="utf-8") as file:
            file.write("not a picture")
        self.assertIn("tested/notes.txt: is neither JPEG nor PNG",
                      self.predict("--model", "run", "--input", "tested", "--output", "y.csv",
                                   code=2))

    def test_one_result_for_every_number_of_ranks_threads_and_bytes_of_memory(self):
        augment = ("augment: {flip: horizontal, crop: {scale: [0.5, 1]}, rotate: 10, contrast: 0.2}"
                   "\n  cache: {memory: %s}")
        self.write(data=augment % "1GiB")
        self.assertIn("data.train: 120 pictures of 5 classes", self.run_one("calm"))
        for ranks in (2, 3):
            gang = self.start_gang(ranks, f"p{ranks}")
            self.assertEqual(self.wait(gang), [0] * ranks, self.log(f"p{ranks}-0.log"))
            self.assertEqual(self.model(f"p{ranks}"), self.model("calm"))
        self.write(data=augment % "20kB")
        self.run_one("lean", "--threads", "1")
        self.assertEqual(self.model("lean"), self.model("calm"))

    def test_resumes_to_the_same_bytes(self):
        self.write(data="augment: {flip: horizontal}\ncheckpoint: {every_steps: 5}")
        self.run_one("calm")
        resume = self.checkpoints("calm")[0]
        self.run_one("again", "--resume", resume)
        self.assertEqual(self.model("again"), self.model("calm"))

    def test_every_damaged_file_is_told_before_the_first_step(self):
        half = self.path("pictures", "shoe", "half.png")
        with open(self.path("pictures", "shoe", sorted(os.listdir(self.path("pictures", "shoe")))[0]),
                  "rb") as whole, open(half, "wb") as out:
            out.write(whole.read()[:-40])
        with open(self.path("pictures", "spoon", "notes.txt"), "w", encoding="utf-8") as out:
            out.write("not a picture")
        with open(self.path("pictures", ".DS_Store"), "w", encoding="utf-8") as out:
            out.write("x")
        self.write()
        log = self.run_one("bad", code=2)
        self.assertIn("shoe/half.png: damaged PNG: the file ends too early", log)
        self.assertIn("spoon/notes.txt: is neither JPEG nor PNG", log)
        self.assertIn("images.yaml:9: data.train", log)
        self.assertNotIn("DS_Store", log)
        self.write(data="damaged: skip")
        log = self.run_one("good")
        self.assertIn("data.train: 2 files are left out; the first: shoe/half.png", log)
        self.assertIn("1 files or folders with a dot in front are not looked at", log)

    def test_a_class_too_many_is_told(self):
        self.write(classes=4)
        self.assertIn("has 5 subfolders, which are the classes (airplane, bicycle, coffee_cup, "
                      "shoe, spoon), but the model has 4", self.run_one("bad", code=2))

    def test_bottlenecks_are_computed_once_and_change_nothing(self):
        self.write(frozen="true", data="cache: {bottlenecks: off}")
        self.assertNotIn("bottlenecks", self.run_one("plain"))
        self.write(frozen="true")
        log = self.run_one("once")
        self.assertIn("bottlenecks of train 96/96", log)
        self.assertIn("bottlenecks of test 24/24", log)
        self.assertEqual(self.model("once"), self.model("plain"))
        self.assertEqual(log.split("hash chain")[1], self.log("plain.log").split("hash chain")[1])
        self.assertIn("bottlenecks of train: 96 read from", self.run_one("once"))
        self.assertEqual(self.model("once"), self.model("plain"))
        gang = self.start_gang(3, "gang")
        self.assertEqual(self.wait(gang), [0] * 3, self.log("gang-0.log"))
        self.assertEqual(self.model("gang"), self.model("plain"))

    def test_bottlenecks_that_are_damaged_or_of_others_are_computed_again(self):
        self.write(frozen="true")
        self.run_one("once")
        model = self.model("once")
        folder = self.path("once", "bottlenecks")
        names = sorted(os.listdir(folder))
        self.assertEqual([name.split("-")[0] for name in names], ["test", "train"])
        with open(os.path.join(folder, names[1]), "r+b") as file:
            file.seek(RANDOM.randrange(os.path.getsize(file.name)))
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 16]))
        log = self.run_one("once")
        self.assertIn("is damaged; the bottlenecks are computed again", log)
        self.assertIn("bottlenecks of train 96/96", log)
        self.assertIn("bottlenecks of test: 24 read from", log)
        self.assertEqual(self.model("once"), model)
        self.assertIn("96 read from", self.run_one("once"))
        log = self.run_one("once", "--set", "seed=2")  # other weights in the body, other samples
        self.assertIn("bottlenecks of train 96/96", log)
        log = self.run_one("once", "--set", "model.divide_by=1")
        self.assertIn("bottlenecks of train 96/96", log)

    def test_bottlenecks_only_where_pictures_stay_the_same_and_memory_holds_them(self):
        self.write(frozen="true", data="augment: {flip: horizontal}")
        self.assertIn("since data.augment changes them", self.run_one("augmented"))
        self.write(frozen="true", data="cache: {memory: 100kB}")
        self.assertIn("data.cache.memory says how much", self.run_one("lean"))


if __name__ == "__main__":
    main()
