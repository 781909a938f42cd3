#!/usr/bin/env python3
"""Builds the release preset and runs all tests; with --ci also clang-tidy and the sanitized tests
of tests/sanitizers.txt. deploy/test.sh calls it once the packages are there.

The last lines are ctest's own summary of the release run. Before them stands what each label took
beside its budget. Exit code 1 when any stage failed.
"""

import collections
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Minutes on 2 cores with cold caches. A sanitizer build counts to the label it serves.
BUDGET_MIN = {"build": 9, "unit": 2, "sim": 2, "contract": 2, "e2e": 6, "chaos": 3, "fuzz": 2,
              "tidy": 4}
JOBS = str(os.cpu_count() or 1)


class Run:
    """Seconds by label, and the stages that failed."""

    def __init__(self):
        self.seconds = collections.Counter()
        self.failed = []

    def stage(self, name, label, command, env=None):
        """Runs one command; its time counts to `label`."""
        print(f"== {name}", flush=True)
        begin = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False,
                              env=os.environ | (env or {}))
        self.seconds[label] += time.monotonic() - begin
        if done.returncode != 0:
            self.failed.append(f"{name} (exit code {done.returncode})")
        return done.returncode == 0


def read_rows(text):
    """[(preset, label, regular expression, [program])] of sanitizers.txt."""
    rows = []
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            rows.append((words[0], words[1], words[2], words[3:]))
    return rows


def tests_of(preset, *selection):
    """{name: label} of the tests that ctest knows."""
    out = subprocess.run(
        ["ctest", "--test-dir", f"build/{preset}", "--show-only=json-v1", *selection],
        cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return labels_of(json.loads(out))


def labels_of(shown):
    labels = {}
    for test in shown["tests"]:
        values = [prop["value"] for prop in test["properties"] if prop["name"] == "LABELS"]
        labels[test["name"]] = values[0][0] if values else "unlabelled"
    return labels


def targets_of(preset):
    out = subprocess.run(["ninja", "-C", f"build/{preset}", "-t", "targets", "all"], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout
    return {line.split(":")[0] for line in out.splitlines()}


def sanitizer_prefix():
    """clang 14's sanitizers cannot map their shadow under a kernel's widest address layout."""
    fixed = subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False)
    return ["setarch", "-R"] if fixed.returncode == 0 else []


def run_sanitizers(run):
    with open(os.path.join(ROOT, "tests/sanitizers.txt"), encoding="utf-8") as file:
        rows = read_rows(file.read())
    targets = {}
    for preset, label, regex, programs in rows:
        if preset not in targets:
            if not run.stage(f"{preset}: configure", label, ["cmake", "--preset", preset]):
                return
            targets[preset] = targets_of(preset)
        names = tests_of(preset, "-L", f"^{label}$", "-R", regex)
        if not names:
            run.failed.append(f"tests/sanitizers.txt: `{preset} {label} {regex}` matches no test")
            continue
        wanted = [name for name in names if name in targets[preset]] + programs
        if not wanted:
            run.failed.append(f"tests/sanitizers.txt: `{preset} {label} {regex}` builds nothing: "
                              "name the programs that its scripts need")
            continue
        if run.stage(f"{preset}: build {label}", label, ["deploy/build.sh", preset, *wanted]):
            run.stage(f"{preset}: {label} {regex}", label, sanitizer_prefix() + [
                "ctest", "--test-dir", f"build/{preset}", "--output-on-failure", "-j", JOBS,
                "--timeout", "900", "-L", f"^{label}$", "-R", regex],
                      {"UBSAN_OPTIONS": "print_stacktrace=1"})


def label_seconds(junit_path, labels):
    """Sums each label's test times; ctest's own file has times without labels."""
    seconds = collections.Counter()
    for case in xml.etree.ElementTree.parse(junit_path).iter("testcase"):
        seconds[labels.get(case.get("name"), "unlabelled")] += float(case.get("time", "0"))
    return seconds


def budget_lines(seconds):
    lines = [f"{'label':<10} minutes  budget   (2 cores, cold caches)"]
    for label in [*BUDGET_MIN, *sorted(set(seconds) - set(BUDGET_MIN))]:
        minutes, budget = seconds.get(label, 0) / 60, BUDGET_MIN.get(label)
        lines.append(f"{label:<10} {minutes:7.1f}  {budget if budget else '-':>6}")
        if budget and minutes > budget:
            lines.append(f"WARNING: {label} took {minutes:.1f} minutes, its budget is {budget}")
    return lines


def run_ctest(run):
    """The release run. ctest's summary is held back until the budget is printed."""
    print("== release: all tests", flush=True)
    junit = os.path.join(ROOT, "build/release/junit.xml")
    if os.path.exists(junit):
        os.remove(junit)
    ctest = subprocess.Popen(
        ["ctest", "--repeat", "until-pass:2",
         "--test-dir", "build/release", "--output-on-failure", "-j", JOBS,
         "--no-tests=error", "--output-junit", junit],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace")
    held = []
    for line in ctest.stdout:
        if held or re.match(r"\d+% tests passed, \d+ tests failed out of \d+", line):
            held.append(line)
        else:
            print(line, end="", flush=True)
    code = ctest.wait()
    if os.path.exists(junit):
        run.seconds.update(label_seconds(junit, tests_of("release")))
    print("\n" + "\n".join(budget_lines(run.seconds)))
    for stage in run.failed:
        print(f"FAILED: {stage}")
    print(flush=True)
    print("".join(held), end="", flush=True)
    return code == 0


def main():
    ci = sys.argv[1:] == ["--ci"]
    run = Run()
    if not run.stage("release: build", "build", ["deploy/build.sh", "release"]):
        print("FAILED: the release build; no test was run")
        return 1
    if ci:
        run.stage("clang-tidy", "tidy", ["python3", "tests/tidy/clang_tidy.py", "build/release",
                                          "--newest", "120"])
        run_sanitizers(run)
    passed = run_ctest(run)
    return 0 if passed and not run.failed else 1


if __name__ == "__main__":
    sys.exit(main())
