"""`baton-trainer predict --continue`: a text that a trained model goes on with, the same for every
seed and thread, and mistakes in words."""
import json
import os
import subprocess

from trainer_process import PROGRAM, SPECS, TrainerTest, main

# Trained on one sentence again and again, a model knows how it goes on.
SENTENCE = "the quick fox. "
SMALL = """
name: small
ranks: 1..1
epochs: 6
batch_size: 8
data: {{format: text, train: text.txt{unit}}}
model:
  input: [12]
  layers:
    - embedding: {{vocabulary: {ids}, width: 16}}
    - gru: {{hidden: 32}}
{last}    - dense: {ids}
  loss: softmax_cross_entropy
optimizer: {{name: adam, lr: 0.01}}
"""


class ContinueTest(TrainerTest):
    def run_trainer(self, *flags, code=0):
        done = subprocess.run([PROGRAM, *flags], cwd=self.folder, capture_output=True,
                              check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout, done.stderr.decode()

    def train(self, last="", unit="", ids=len(set(SENTENCE))):
        with open(self.path("text.txt"), "w", encoding="utf-8") as text:
            text.write(SENTENCE * 200)
        with open(self.path("small.yaml"), "w", encoding="utf-8") as spec:
            spec.write(SMALL.format(last=last, unit=unit, ids=ids))
        self.run_trainer("--spec", "small.yaml", "--output", "run", "--threads", "1")

    def go_on(self, *flags):
        return self.run_trainer("predict", "--model", "run", *flags)[0]

    def mistake(self, *flags):
        return self.run_trainer("predict", "--model", "run", *flags, code=2)[1]

    def test_knows_its_sentence(self):
        self.train()
        want = (SENTENCE * 4)[:50] + "\n"
        self.assertEqual(self.go_on("--continue", want[:3], "--length", "47", "--temperature",
                                    "0").decode(), want)

    def test_one_that_sees_only_whole_inputs_needs_one(self):
        self.train(last="    - last\n")
        want = (SENTENCE * 4)[:40] + "\n"
        self.assertEqual(self.go_on("--continue", want[:12], "--length", "28", "--temperature",
                                    "0").decode(), want)
        self.assertIn("--continue has 3 characters; this model needs at least 12",
                      self.mistake("--continue", "the"))

    def test_goes_on_with_bytes(self):
        self.train(unit=", unit: bytes", ids=256)
        want = (SENTENCE * 2)[:25] + "\n"
        self.assertEqual(self.go_on("--continue", want[:4], "--length", "21", "--top-k",
                                    "1").decode(), want)

    def test_the_gpt_draws_by_seed(self):
        self.run_trainer("--spec", os.path.join(SPECS, "gpt.yaml"), "--output", "run", "--threads",
                         "1", "--steps", "40", "--set", "ranks=1")
        flags = ("--continue", "To be", "--length", "120", "--temperature", "0.8")
        first = self.go_on(*flags)
        self.assertTrue(first.startswith(b"To be"))
        self.assertEqual(len(first), 5 + 120 + 1)
        self.assertEqual(self.go_on(*flags), first)
        self.assertEqual(self.go_on(*flags, "--threads", "3", "--seed", "0"), first)
        self.assertNotEqual(self.go_on(*flags, "--seed", "1"), first)
        few = self.go_on(*flags, "--top-k", "2")
        self.assertLess(len(set(few)), len(set(first)))
        self.assertEqual(self.go_on(*flags[:4], "--temperature", "0"),
                         self.go_on(*flags[:4], "--top-k", "1"))
        _, told = self.run_trainer("predict", "--model", "run", *flags, "--summary", "json")
        self.assertEqual(json.loads(told.splitlines()[-1])["characters"], 120)
        said = self.mistake("--continue", "To bß {ß")
        self.assertIn("--continue has '{', 'ß', which the text that the model was trained on has "
                      "not; it has: ", said)
        self.assertIn("--continue has 0 characters; this model needs at least 1",
                      self.mistake("--continue", ""))
        os.unlink(self.path("run", "model.json"))
        self.assertIn("give --model FOLDER", self.mistake(
            "--continue", "To", "--spec", os.path.join(SPECS, "gpt.yaml")))

    def test_flags_that_do_not_belong_together(self):
        self.assertIn("--length requires --continue", self.mistake("--length", "3"))
        self.assertIn("--seed requires --continue", self.mistake("--seed", "3"))
        self.assertIn("excludes --continue", self.mistake("--continue", "x", "--input", "y.npy"))
        for flag, value in (("--temperature", "-1"), ("--top-k", "0"), ("--length", "0"),
                            ("--seed", "x")):
            self.assertIn(flag, self.mistake("--continue", "x", flag, value))

    def test_a_model_of_tables_is_refused(self):
        self.run_trainer("--spec", os.path.join(SPECS, "binary.yaml"), "--output", "run", "--steps",
                         "2", "--set", "ranks=1")
        self.assertIn("the model was not trained on `format: text`",
                      self.mistake("--continue", "x"))


if __name__ == "__main__":
    main()
