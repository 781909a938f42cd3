#!/usr/bin/env python3
"""Tests of deploy/: the list of packages, build progress, and the stages of a test run.

    tests/deploy/deploy_test.py ROOT BUILD_DIR
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.abspath(sys.argv[1])
BUILD = os.path.abspath(sys.argv[2])
sys.path.insert(0, os.path.join(ROOT, "deploy"))

import build_progress  # noqa: E402
import demo_view  # noqa: E402
import run_tests  # noqa: E402

JOB = {
    "name": "lenet", "state": "SUCCEEDED", "reason": "", "step": 2512, "steps_total": 2512,
    "world_size": 2, "generation": 2, "steps_lost": 7, "recoveries_s": [0.7, 1.25],
    "cost_usd": 0.0031, "cost_on_demand_usd": 0.0089, "prices_are_examples": True,
    "metrics": {"loss": 0.231, "test_accuracy": 0.979, "images_per_s": 6910.4},
    "phases": {"queue_s": 0, "train_s": 90.0, "save_s": 10.0},
    "attempts": [{"end_cause": "node-lost"}, {"end_cause": "succeeded"}],
    "losses": [{"rank": 1, "node": "spot-a", "detector": "peers"}],
    "checkpoints": [{"name": "a", "step": 9, "sha256": "0" * 64},
                    {"name": "b", "step": 2512, "sha256": "abcd" + "0" * 60}],
}

JUNIT = """<testsuite><testcase name="a" time="30.5"><system-out>x</system-out></testcase>
<testcase name="b" time="100"/><testcase name="c" time="1"/></testsuite>"""
SHOWN = {"tests": [
    {"name": "a", "properties": [{"name": "LABELS", "value": ["unit"]}]},
    {"name": "b", "properties": [{"name": "LABELS", "value": ["unit"]}]},
    {"name": "c", "properties": [{"name": "TIMEOUT", "value": 9}]}]}


class DeployTest(unittest.TestCase):
    def test_the_quickstart_builds_all_that_its_programs_start(self):
        with open(os.path.join(ROOT, "deploy", "demo.py"), encoding="utf-8") as file:
            named = re.search(r'"release", ((?:"[a-z-]+",?\s*)+)\]', file.read()).group(1)
        made = subprocess.run(["ninja", "-C", BUILD, "-t", "inputs", *re.findall(r"[a-z-]+", named)],
                              capture_output=True, text=True, check=True).stdout.split()
        for needed in ("bin/baton-keeper", "bin/libbaton_backend_cpu.so"):
            self.assertIn(needed, made)

    def test_each_package_has_a_section_and_a_reason(self):
        with open(os.path.join(ROOT, "deploy/packages.txt"), encoding="utf-8") as file:
            lines = [line.rstrip() for line in file]
        sections = [line for line in lines if line.startswith("[")]
        self.assertEqual(sections, ["[build]", "[test]", "[ci]"])
        packages = [line for line in lines if line and line[0] not in "#["]
        for line in packages:
            self.assertRegex(line, r"^[a-z0-9.+-]+ +# \S.*")
        names = [line.split()[0] for line in packages]
        self.assertEqual(len(names), len(set(names)))

    def test_progress_estimates_what_is_left(self):
        self.assertEqual(build_progress.progress("release", 25, 100, 60),
                         "build release  25/100  1:00 so far, about 3:00 left")

    def test_progress_passes_compiler_errors_through(self):
        lines = "[1/2] Building a\na.cc:1:1: error: no\n[2/2] Building b\n"
        run = subprocess.run([sys.executable, os.path.join(ROOT, "deploy/build_progress.py"), "x"],
                             input=lines, capture_output=True, text=True, check=True)
        self.assertIn("a.cc:1:1: error: no\n", run.stdout)
        self.assertIn("1/2", run.stdout)
        self.assertNotIn("Building", run.stdout)

    def test_rows_of_the_sanitizer_list(self):
        self.assertEqual(run_tests.read_rows("# a\n\nasan  e2e  ^x_test$  baton-trainer\n"),
                         [("asan", "e2e", "^x_test$", ["baton-trainer"])])

    def test_times_are_summed_by_label(self):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(JUNIT)
            file.flush()
            self.assertEqual(run_tests.label_seconds(file.name, run_tests.labels_of(SHOWN)),
                             {"unit": 130.5, "unlabelled": 1.0})

    def test_a_label_over_its_budget_is_warned_about_and_others_are_not(self):
        lines = run_tests.budget_lines({"unit": 130.5, "build": 10})
        warnings = [line for line in lines if line.startswith("WARNING")]
        self.assertEqual(warnings, ["WARNING: unit took 2.2 minutes, its budget is 2"])
        self.assertEqual({line.split()[0] for line in lines[1:] if line not in warnings},
                         set(run_tests.BUDGET_MIN))

    def test_a_failing_stage_is_remembered_and_its_time_counts(self):
        run = run_tests.Run()
        self.assertFalse(run.stage("no", "tidy", ["false"]))
        self.assertTrue(run.stage("yes", "tidy", ["true"]))
        self.assertEqual(run.failed, ["no (exit code 1)"])
        self.assertGreater(run.seconds["tidy"], 0)

    def test_the_progress_line_tells_where_the_job_is_and_how_long_it_takes(self):
        job = JOB | {"state": "RUNNING", "step": 1256}
        self.assertEqual(demo_view.progress(job, 16, [2.0, 1.0], 20.0),
                         "lenet  epoch 9/16  step 1 256/2 512  ▁█  loss 0.231  6 910 img/s  "
                         "2 ranks  $0.0031  1:02 left")
        waiting = job | {"steps_total": 0, "state": "QUEUED", "reason": "no node yet",
                         "metrics": {}, "world_size": 0}
        self.assertIn("QUEUED  no node yet", demo_view.progress(waiting, 16, [], 0.0))

    def test_the_summary_says_yes_only_when_the_bytes_are_the_same(self):
        same = demo_view.summary(JOB, 98.0, "3f9c" + "0" * 60, "3f9c" + "0" * 60, "m", 2000)
        self.assertEqual(same[0], "lenet  SUCCEEDED in 1:38    test accuracy 97.9 % (2 000 images)"
                                  "    2 losses survived")
        self.assertIn("same weights?  yes: 3f9c…0000 = an undisturbed run", same[1])
        self.assertIn("train 90.0 %  save 10.0 %", same[2])
        self.assertIn("7 steps", same[3])
        self.assertIn("0.7 s, 1.2 s", same[3])
        self.assertIn("nothing was billed", same[4])
        self.assertIn("b (step 2 512, abcd…0000)", same[5])
        other = demo_view.summary(JOB, 98.0, "3f9c" + "0" * 60, "aaaa" + "0" * 60, "m", 2000)
        self.assertIn("same weights?  NO: 3f9c…0000 and aaaa…0000 of", other[1])

    def test_a_loss_moves_a_job_on_to_a_later_generation_or_attempt(self):
        self.assertEqual(demo_view.survived(JOB["losses"][0]),
                         "rank 1 on spot-a is lost (peers); the others go on")
        self.assertLess(demo_view.place(JOB), demo_view.place(JOB | {"generation": 3}))
        again = JOB | {"attempts": [*JOB["attempts"], {"end_cause": None}], "generation": 1}
        self.assertLess(demo_view.place(JOB), demo_view.place(again))

    def test_the_epoch_under_way_never_passes_the_last(self):
        self.assertEqual([demo_view.epoch_of(JOB | {"step": step}, 16) for step in
                          (0, 156, 157, 2511, 2512)], [1, 1, 2, 16, 16])

    def test_scripts_explain_themselves_when_called_wrongly(self):
        for script in ("install_packages.sh", "test.sh", "quickstart.sh"):
            run = subprocess.run([os.path.join(ROOT, "deploy", script), "--nonsense"],
                                 capture_output=True, text=True, check=False)
            self.assertEqual(run.returncode, 2)
            self.assertTrue(re.search(rf"deploy/{script} \[--", run.stdout), run.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
