#!/usr/bin/env python3
"""Tests of deploy/: the list of packages, build progress, and the stages of a test run.

    tests/deploy/deploy_test.py ROOT
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(ROOT, "deploy"))

import build_progress  # noqa: E402
import run_tests  # noqa: E402

JUNIT = """<testsuite>
 <testcase name="a" time="30.5"><properties><property name="cmake_labels" value="unit"/></properties>
 </testcase>
 <testcase name="b" time="100"><properties><property name="cmake_labels" value="unit"/></properties>
 </testcase>
 <testcase name="c" time="1"><properties/></testcase>
</testsuite>"""


class DeployTest(unittest.TestCase):
    def test_each_package_has_a_section_and_a_reason(self):
        with open(os.path.join(ROOT, "deploy/packages.txt"), encoding="utf-8") as file:
            lines = [line.rstrip() for line in file]
        sections = [line for line in lines if line.startswith("[")]
        self.assertEqual(sections, ["[build]", "[test]", "[ci]", "[bench]"])
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
            self.assertEqual(run_tests.label_seconds(file.name),
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

    def test_scripts_explain_themselves_when_called_wrongly(self):
        for script in ("install_packages.sh", "test.sh"):
            run = subprocess.run([os.path.join(ROOT, "deploy", script), "--nonsense"],
                                 capture_output=True, text=True, check=False)
            self.assertEqual(run.returncode, 2)
            self.assertTrue(re.search(rf"deploy/{script} \[--", run.stdout), run.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
