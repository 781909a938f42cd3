#!/usr/bin/env python3
"""Tests of clang_tidy.py's choice of files and of its cache key, and that .clang-tidy is one list
of checks that stop the build. Needs no clang-tidy: that is a package of CI alone."""

import json
import os
import tempfile
import unittest

import clang_tidy
import source
from tidy_test import write

HERE = os.path.dirname(os.path.abspath(__file__))

FILES = {
    ".clang-tidy": "Checks: '*'\n",
    "common/ids.h": "#pragma once\n",
    "common/ids.cc": '#include "common/ids.h"\n',
    "scheduler/edge/wire.h": "#include <grpcpp/grpcpp.h>\n",
    "scheduler/edge/service.cc": '#include "scheduler/edge/wire.h"\n',
    "scheduler/store/codec.cc": '#include "scheduler/store/record.pb.h"\n',
    "tests/common/ids_test.cc": '#include "common/ids.h"\n',
}


def commands(root):
    return [{"directory": root, "file": path, "command": f"g++ -c {path}"}
            for path in FILES if path.endswith(".cc")]


class ClangTidyTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = self.folder.name

    def key(self, files, command="g++", version="14"):
        write(self.root, files)
        tree = source.Tree(self.root)
        seen, _ = clang_tidy.closure(tree, "common/ids.cc")
        return clang_tidy.digest(tree, version, command, seen)

    def test_heavy_libraries_are_left_out_through_headers_too(self):
        write(self.root, FILES)
        chosen = clang_tidy.select(source.Tree(self.root), commands(self.root))
        self.assertEqual([path for path, _, _ in chosen], ["common/ids.cc"])

    def test_the_key_follows_the_file_its_headers_its_command_the_checks_and_the_version(self):
        first = self.key(FILES)
        self.assertEqual(first, self.key(FILES))
        others = [
            self.key(FILES | {"common/ids.cc": '#include "common/ids.h"\nint a;\n'}),
            self.key(FILES | {"common/ids.h": "#pragma once\nint a;\n"}),
            self.key(FILES | {".clang-tidy": "Checks: '-*'\n"}),
            self.key(FILES, command="g++ -O2"),
            self.key(FILES, version="15"),
        ]
        self.assertEqual(len({first, *others}), 6)

    def test_an_unrelated_file_leaves_the_key_alone(self):
        self.assertEqual(self.key(FILES),
                         self.key(FILES | {"scheduler/edge/service.cc": "int a;\n"}))

    def test_the_newest_files_come_first_and_a_header_counts_for_its_source(self):
        order = clang_tidy.ages("common/b.h\n\ncommon/c.cc\ncommon/b.h\n\ncommon/a.cc\n")
        chosen = [(f"common/{name}.cc", "g++", []) for name in "abcd"]
        pick = lambda count: [path for path, _, _ in clang_tidy.newest(chosen, order, count)]
        self.assertEqual(pick(1), ["common/b.cc"])
        self.assertEqual(pick(2), ["common/b.cc", "common/c.cc"])
        self.assertEqual(pick(3), ["common/a.cc", "common/b.cc", "common/c.cc"])
        self.assertEqual(len(pick(9)), 4)

    def test_our_checks_are_errors(self):
        with open(os.path.join(HERE, "..", "..", ".clang-tidy"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("WarningsAsErrors: '*'", text)
        self.assertIn("bugprone-*", text)
        self.assertNotIn("clang-analyzer", json.dumps(text))


if __name__ == "__main__":
    unittest.main()
