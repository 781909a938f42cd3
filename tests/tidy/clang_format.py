#!/usr/bin/env python3
"""Fails when clang-format would change a C++ file.

    tests/tidy/clang_format.py CLANG_FORMAT [ROOT]
"""

import os
import re
import subprocess
import sys

import source

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    program = sys.argv[1]
    root = sys.argv[2] if len(sys.argv) > 2 else os.path.dirname(os.path.dirname(HERE))
    if not os.path.isfile(program):
        print("clang-format is missing: deploy/install_packages.sh test, then configure again")
        return 1
    paths = source.Tree(root).cxx()
    jobs = os.cpu_count() or 1
    runs = [subprocess.Popen([program, "--dry-run", "-Werror", *paths[i::jobs]], cwd=root,
                             stderr=subprocess.PIPE, text=True)
            for i in range(min(jobs, len(paths)))]
    bad = set()
    for run in runs:
        errors = run.communicate()[1]
        named = set(re.findall(r"(?m)^(\S+?):\d+:\d+: error", errors))
        if run.returncode and not named:
            print(errors)
            return 1
        bad |= named
    for path in sorted(bad):
        print(f"{path}:1: format: run `clang-format -i {path}` (version 14)")
    print(f"clang-format: {len(paths)} files, {len(bad)} to format")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
