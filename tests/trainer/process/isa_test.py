"""A pinned instruction set: in the identity, in the bits, and said on a resume with another."""
import json
import os
import subprocess

from trainer_process import PROGRAM, TrainerTest, main

WORDS = {"sse41": "0x1", "avx": "0x3", "avx2": "0x7"}


class IsaTest(TrainerTest):
    def run_trainer(self, output, *flags, env=None, code=0):
        done = subprocess.run(
            [PROGRAM, "--spec", self.spec, "--output", output, "--steps", "30", "--device", "cpu",
             *flags], cwd=self.folder, capture_output=True, text=True, check=False,
            env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def identity(self, output):
        with open(self.path(output, "model.json"), encoding="utf-8") as file:
            return json.load(file)["identity"]

    def test_the_pin_decides_identity_and_bits(self):
        self.run_trainer("own")
        models = {}
        for word, bits in WORDS.items():
            # What the environment says does not count beside it.
            self.run_trainer(word, "--cpu-isa", word, env={"DNNL_MAX_CPU_ISA": "SSE41"})
            self.assertIn(f" isa {bits} ", self.identity(word))
            models[word] = self.model(word)
        self.assertEqual(len(set(models.values())), len(models), "each has bits of its own")
        own = self.identity("own")
        best = next((w for w, bits in WORDS.items() if f" isa {bits} " in own), None)
        self.assertEqual(self.model("own") in models.values(), best is not None)
        # The spec's field is the same pin, the flag wins over it, and again is the same again.
        self.run_trainer("field", "--set", "cpu_isa=avx2")
        self.assertEqual(self.model("field"), models["avx2"])
        self.run_trainer("both", "--set", "cpu_isa=avx2", "--cpu-isa", "sse41")
        self.assertEqual(self.model("both"), models["sse41"])

    def test_a_resume_with_another_says_what_no_longer_holds(self):
        # The steps end here, the training does not.
        self.run_trainer("first", "--cpu-isa", "sse41", "--set", "checkpoint={every_steps: 10}")
        last = self.checkpoints("first")[-1]
        done = self.run_trainer("second", "--cpu-isa", "avx2", "--resume", last, "--steps", "35")
        self.assertIn("sse41 there, avx2 here", done.stderr)
        self.assertIn("the last bits may differ", done.stderr)
        done = self.run_trainer("third", "--cpu-isa", "sse41", "--resume", last, "--steps", "35")
        self.assertNotIn("may differ", done.stderr)

    def test_a_word_that_is_none_is_refused(self):
        done = self.run_trainer("x", "--set", "cpu_isa=avx3", code=2)
        self.assertIn("unknown value 'avx3'; use any, sse41, avx, avx2 or avx512_core", done.stderr)


if __name__ == "__main__":
    main()
