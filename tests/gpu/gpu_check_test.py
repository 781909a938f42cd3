"""baton-gpu-check where there is no card says so, and where there is one all is good.

    tests/gpu/gpu_check_test.py PROGRAM
"""

import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)
NO_CARD = 77


def run(*flags):
    return subprocess.run([PROGRAM, *flags], capture_output=True, text=True, check=False)


class GpuCheckTest(unittest.TestCase):
    def test_a_card_is_right_or_its_absence_is_told(self):
        done = run()
        if done.returncode != NO_CARD:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return
        self.assertIn("no card to check: --device cuda: ", done.stdout)
        # What the libraries themselves say, should the driver be asked by them.
        done = run("--unasked")
        self.assertEqual(done.returncode, NO_CARD, done.stdout + done.stderr)
        self.assertRegex(done.stdout, "no libbaton_backend_cuda.so|cannot be used|cannot load")

    def test_the_checks_themselves_find_other_backends_right(self):
        for backend in ("reference", "cpu"):
            done = run("--backend", backend, "--rounds", "3")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("LeNet, bits at 5 of 5 ranks", done.stdout)
            self.assertIn("\n0 bad\n", done.stdout)


if __name__ == "__main__":
    unittest.main()
