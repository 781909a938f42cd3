#!/usr/bin/env python3
"""Tests of tidy: a small clean house, and one planted violation for each rule."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import includes
import sizes
import source
import tidy

HERE = os.path.dirname(os.path.abspath(__file__))

CLEAN = {
    "CMakeLists.txt": "add_subdirectory(common)\nadd_subdirectory(scheduler)\n"
                      "add_subdirectory(worker)\nadd_subdirectory(tests)\nadd_subdirectory(proto)\n",
    "LICENSE": "words\n",
    "README.md": "# Baton\n\n```\n./deploy/quickstart.sh\n```\n\n```\n./deploy/test.sh\n```\n",
    "CONTRIBUTING.md": "`common/ids.h` and `scheduler/core/step.{h,cc}`, `scheduler/<x>.cc`\n",
    "deploy/quickstart.sh": "echo hello\n",
    "deploy/test.sh": "echo hello\n",
    "common/CMakeLists.txt": "baton_library(common SOURCES ids.cc)\n",
    "common/ids.h": "#pragma once\n\nint NewId();\n",
    "common/ids.cc": '#include "common/ids.h"\n\nint NewId() { return 1; }\n',
    "common/log.h": "#pragma once\n",
    "proto/CMakeLists.txt": "add_library(proto baton/v1/job.proto)\n",
    "proto/baton/v1/job.proto": "message Job {}\n",
    "scheduler/CMakeLists.txt": "baton_add_folders()\n",
    "scheduler/core/CMakeLists.txt": "baton_library(scheduler_core SOURCES step.cc)\n",
    "scheduler/core/step.h": '#pragma once\n\n#include "common/ids.h"\n\nint Step();\n',
    "scheduler/core/step.cc": '#include "scheduler/core/step.h"\n\nint Step() { return 1; }\n',
    "worker/CMakeLists.txt": "baton_program(baton-worker SOURCES main.cc)\n",
    "worker/main.cc": '#include "common/log.h"\n\nint main() { return 0; }\n',
    "tests/CMakeLists.txt": "baton_add_folders()\n",
    "tests/README.md": "# Tests\n",
    "tests/scheduler/CMakeLists.txt":
        "baton_test(core_test LABEL unit\n  SOURCES step_test.cc\n  DEPS scheduler_core)\n",
    "tests/scheduler/step_test.cc":
        '#include "scheduler/core/step.h"\n\nTEST(Step, Steps) { EXPECT_EQ(Step(), 1); }\n',
}

STEP = "scheduler/core/step.cc"
MAIN = "worker/main.cc"
TEST = "tests/scheduler/step_test.cc"

# (rule, file, lines appended to it). Each must be found, in that file.
PLANTED = [
    ("include", STEP, '#include "worker/main.h"\n'),
    ("include", STEP, '#include "common/log.h"\n'),
    ("include", STEP, "#include <thread>\n"),
    ("include", STEP, "#include <mutex>\n"),
    ("include", STEP, "#include <chrono>\n"),
    ("include", STEP, "#include <cmath>\n"),
    ("include", STEP, "#include <iostream>\n"),
    ("include", STEP, "#include <unordered_map>\n"),
    ("include", STEP, "#include <grpcpp/grpcpp.h>\n"),
    ("include", STEP, '#include "absl/container/flat_hash_map.h"\n'),
    ("include", STEP, '#include "absl/synchronization/mutex.h"\n'),
    ("include", STEP, '#include "step.h"\n'),
    ("include", STEP, '#include "scheduler/core/gone.h"\n'),
    ("include", STEP, '#include "baton/v1/job.pb.h"\n'),
    ("include", MAIN, '#include "baton/v1/gone.pb.h"\n'),
    ("include", "common/ids.cc", '#include "scheduler/core/step.h"\n'),
    ("include", "common/ids.cc", '#include "tests/scheduler/step_test.cc"\n'),
    ("include", MAIN, '#include "scheduler/core/step.h"\n'),
    ("include", "elsewhere/a.cc", "int a;\n"),
    ("open-end", MAIN, "// TO" "DO: later\n"),
    ("open-end", "README.md", "FIX" "ME\n"),
    ("promise", MAIN, "// This does nothing for " "now.\n"),
    ("promise", MAIN, 'const char* k = "not imple' 'mented";\n'),
    ("promise", "README.md", "A place" "holder.\n"),
    ("test-hook", MAIN, "#ifdef BATON_TEST\n#endif\n"),
    ("test-hook", "common/ids.h", "class A { FRIEND_TEST(A, B); };\n"),
    ("dead-test", TEST, "TEST(Step, DISABLED_Two) {}\n"),
    ("dead-test", TEST, "TEST(Step, Three) { GTEST_SKIP(); }\n"),
    ("dead-test", "tests/scheduler/step_test.py", "import unittest\nunittest.skipIf(True, '')\n"),
    ("dead-code", MAIN, "#if 0\n#endif\n"),
    ("dead-code", MAIN, "// Run(now);\n"),
    ("dead-code", MAIN, "// int x = 3;\n// return x;\n"),
    ("nolint", MAIN, "int y;  // NOLINT\n"),
    ("string-view", MAIN, "std::string_view s;\n"),
    ("absl-mutex", MAIN, "absl::Mutex m;\n"),
    ("hidden-randomness", MAIN, "std::mt19937 g;\n"),
    ("random-device", MAIN, "std::random_device d;\n"),
    ("unit-sleep", TEST, "void F() { std::this_thread::sleep_for(x); }\n"),
    ("unit-sleep", TEST, "void F() { usleep(1); }\n"),
    ("process-exit", "common/ids.cc", "void F() { std::exit(1); }\n"),
    ("throw", "common/ids.cc", "void F() { throw 1; }\n"),
    ("shell", MAIN, 'int F() { return system("ls"); }\n'),
    ("using-namespace", MAIN, "using namespace std;\n"),
    ("pure-threads", STEP, "std::atomic<int> a;\n"),
    ("pure-clock", STEP, "auto t = Clock::now();\n"),
    ("pure-clock", STEP, "long F() { return time(nullptr); }\n"),
    ("pure-libm", STEP, "double F(double x) { return std::exp(x); }\n"),
    ("pure-io", STEP, 'void F() { printf("x"); }\n'),
    ("pure-pointer-order", STEP, "std::map<const Job*, int> m;\n"),
    ("pure-pointer-order", STEP, "std::set<Job*> s;\n"),
    ("hash-order", STEP,
     "std::unordered_map<int, int> jobs_;\nvoid F() {\n  for (auto& j : jobs_) {\n  }\n}\n"),
    ("hash-order", STEP, "absl::flat_hash_map<int, A<int>> jobs_;\nauto i = jobs_.begin();\n"),
    ("vague-name", "common/string_util.cc", "\n"),
    ("vague-name", "tests/helpers/a.txt", "\n"),
    ("file-size", STEP, "int x;\n" * 500),
    ("file-size", "deploy/test.sh", "echo\n" * 500),
    ("function-size", STEP, "void Long() {\n" + "  F();\n" * 69 + "}\n"),
    ("function-size", STEP, "Foo::Foo(int a)\n    : a_(a), b_{a} {\n" + "  F();\n" * 69 + "}\n"),
    ("function-size", TEST, "TEST(A, B) {\n" + "  if (a) {\n    F({1});\n  }\n" * 23 + "}\n"),
    ("function-size", "deploy/demo.py", "def f():\n" + "    g()\n" * 70),
    ("top-level", "stuff.txt", "x\n"),
    ("unreached", "scheduler/edge/http/CMakeLists.txt", "# nothing above adds this\n"),
    ("unregistered", "scheduler/core/fence.cc", "int Fence();\n"),
    ("unregistered", "tests/scheduler/fence_test.cc", "int F();\n"),
    ("unregistered", "tests/scheduler/fence_test.py", "print()\n"),
    ("unregistered", "deploy/lonely.sh", "echo\n"),
    ("unused-header", "scheduler/core/fence.h", "#pragma once\n"),
    ("pragma-once", "common/backoff.h", "int Backoff();\n"),
    ("no-such-path", "CONTRIBUTING.md", "See `scheduler/core/gone.cc`.\n"),
    ("no-such-path", "tests/README.md", "See `scheduler/core/step.{h,cu}`.\n"),
    ("figure", "README.md", "## Speed\n\nIt trains 7,000 img/s.\n"),
]

# Lines that look like a violation and are none.
HARMLESS = [
    (MAIN, '#include "baton/v1/job.pb.h"\n'),
    (STEP, "// std::thread, exp(x) and rand() are for others; throw nothing.\n"),
    (STEP, 'const char* k = "std::thread; #include <mutex>";\n'),
    (STEP, "const int big = 1'000'000; const char c = '{'; const char d = '\"';\n"),
    (STEP, 'const char* raw = R"x({ std::thread " })x";\n'),
    (STEP, "std::unordered_map<int, int> seen_;\nbool F() { return seen_.count(1) > 0; }\n"),
    (STEP, "int G() { return job.time(); }\n"),
    (STEP, "std::map<int, Job*> jobs;\nstd::set<const Job*, ById> order;\n"),
    (TEST, "TEST(Step, Mounts) {\n  if (::geteuid() != 0) GTEST_SKIP() << 1;\n}\n"),
    (MAIN, "// TO" "DO(#12): the next issue's part.\n"),
    (MAIN, "//   Run(now);  (an indented example of use)\n"),
    (MAIN, "// One of: a;\n// b (see above);\n"),
    (MAIN, "int z;  // NOLINT(readability-magic-numbers): the port of the RFC\n"),
    (STEP, "struct A {\n" + "  int f() { return 1; }\n" * 100 + "};\n"),
    (STEP, "const int kTable[] = {\n" + "    1,\n" * 100 + "};\n"),
    (STEP, "namespace a {\n" + "void F() {}\n" * 100 + "}  // namespace a\n"),
    ("README.md", "## Speed\n\n`./deploy/test.sh` prints 7,000 img/s.\n"),
]


def write(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def findings(changes):
    files = dict(CLEAN)
    for path, text in changes:
        files[path] = files.get(path, "") + text
    with tempfile.TemporaryDirectory() as root:
        write(root, files)
        return tidy.check(source.Tree(root))


class TidyTest(unittest.TestCase):
    def test_the_clean_house_has_no_findings(self):
        self.assertEqual([str(f) for f in findings([])], [])

    def test_each_planted_violation_is_found_where_it_was_planted(self):
        for rule, path, text in PLANTED:
            with self.subTest(rule=rule, path=path, text=text[:60]):
                found = {(f.rule, f.path) for f in findings([(path, text)])}
                self.assertIn((rule, path), found)

    def test_each_rule_has_a_planted_violation(self):
        planted = {rule for rule, _, _ in PLANTED}
        rules = set()
        for name in os.listdir(HERE):
            if not name.endswith((".py", ".toml")):
                continue
            with open(os.path.join(HERE, name), encoding="utf-8") as file:
                text = file.read()
            if name == "banned.toml":
                rules |= set(re.findall(r'(?m)^name = "([^"]+)"', text))
            elif name.endswith(".py") and name != "tidy_test.py":
                rules |= set(re.findall(
                    r'Finding\((?:"README\.md", )?[^"\[]*?, "([a-z-]+)",', text))
                rules |= set(re.findall(r'(?m)^RULE = "([a-z-]+)"', text))
        self.assertEqual(rules - planted, {"docs", "first-blocks"})  # the next test

    def test_a_missing_page_and_a_moved_first_block_are_found(self):
        for path in ("README.md", "CONTRIBUTING.md", "tests/README.md"):
            files = {name: text for name, text in CLEAN.items() if name != path}
            with tempfile.TemporaryDirectory() as root:
                write(root, files)
                found = {(f.rule, f.path) for f in tidy.check(source.Tree(root))}
            self.assertIn(("docs", path), found)
        with tempfile.TemporaryDirectory() as root:
            write(root, CLEAN | {"README.md": "```\n./deploy/test.sh\n```\n"})
            found = {(f.rule, f.path) for f in tidy.check(source.Tree(root))}
        self.assertIn(("first-blocks", "README.md"), found)

    def test_what_only_looks_like_a_violation_is_left_alone(self):
        for path, text in HARMLESS:
            with self.subTest(path=path, text=text[:60]):
                self.assertEqual([str(f) for f in findings([(path, text)])], [])

    def test_line_numbers_are_those_of_the_file(self):
        found = findings([(STEP, "\n/* a\n b */ std::atomic<int> x;\n")])
        self.assertEqual([(f.line, f.rule) for f in found], [(6, "pure-threads")])

    def test_function_lengths_count_from_the_signature_to_the_brace(self):
        code = ("class A final : public B {\n public:\n  explicit A(int x)\n      : x_(x) {\n  }\n"
                "  int F() const override {\n    auto f = [&](int y) {\n      return y;\n    };\n"
                "    return f(x_);\n  }\n\n private:\n  int x_{0};\n};\n")
        self.assertEqual(sizes.cxx_functions(code), [(3, "A", 3), (6, "F", 6)])

    def test_the_table_names_only_libraries_that_it_lists(self):
        table = includes.load(os.path.join(HERE, "include_table.toml"))
        self.assertIn("scheduler/core", table["folder"])
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('[library]\n[never]\n[folder."a"]\nown = []\nlibraries = ["boost"]\n')
            file.flush()
            with self.assertRaisesRegex(ValueError, "boost"):
                includes.load(file.name)

    def test_git_decides_which_files_count_and_without_git_all_do(self):
        with tempfile.TemporaryDirectory() as root:
            write(root, {"a.cc": "", "b.cc": "", ".gitignore": "b.cc\n", "build/c.cc": ""})
            self.assertEqual(sorted(source.list_files(root)), [".gitignore", "a.cc", "b.cc"])
            subprocess.run(["git", "-C", root, "init", "-q"], check=True)
            subprocess.run(["git", "-C", root, "add", "."], check=True)
            write(root, {"scratch.cc": ""})
            self.assertEqual(source.list_files(root), [".gitignore", "a.cc", "build/c.cc"])

    def test_the_program_prints_findings_and_exits_with_1(self):
        with tempfile.TemporaryDirectory() as root:
            write(root, CLEAN | {STEP: CLEAN[STEP] + "std::thread t;\n"})
            run = subprocess.run([sys.executable, os.path.join(HERE, "tidy.py"), root],
                                 capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("scheduler/core/step.cc:4: pure-threads:", run.stdout)


if __name__ == "__main__":
    unittest.main()
