#!/usr/bin/env python3
"""Checks the house rules of CONTRIBUTING.md over the files that git tracks.

    tests/tidy/tidy.py [ROOT]

Prints file:line: rule: what to do instead. Exit code 0 when clean, 1 when not.
"""

import os
import sys

import docs
import includes
import registration
import sizes
import source
import tokens

HERE = os.path.dirname(os.path.abspath(__file__))


def check(tree):
    table = includes.load(os.path.join(HERE, "include_table.toml"))
    rules = tokens.load(os.path.join(HERE, "banned.toml"))
    found = includes.check(tree, table)
    found += tokens.check(tree, rules, table, registration.unit_tests(tree))
    found += sizes.check(tree)
    found += registration.check(tree)
    found += docs.check(tree)
    return sorted(set(found))


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(HERE))
    tree = source.Tree(root)
    found = check(tree)
    for finding in found:
        print(finding)
    print(f"tidy: {len(tree.paths)} files, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
