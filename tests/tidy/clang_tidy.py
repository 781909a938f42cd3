#!/usr/bin/env python3
"""Runs clang-tidy over the programs' sources that include neither gRPC nor RocksDB nor generated
code, which would cost most of the time and find nothing of ours.

    tests/tidy/clang_tidy.py BUILD_DIR [--newest N]

BUILD_DIR holds compile_commands.json. A file that was clean stays clean until it, a header of
Baton that it sees, its compile command, .clang-tidy or clang-tidy's version changes; clean ones
are remembered under BUILD_DIR/clang-tidy-cache. --newest N: only the N files that git has changed
last, by themselves or by the header of their name. CI starts with an empty cache, and all files
take a quarter of an hour there; the older ones were seen when they were new.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess
import sys

import includes
import source

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDERS = ("common/", "scheduler/", "worker/", "trainer/", "client/")
HEAVY = ("grpc/", "grpcpp/", "google/protobuf/", "rocksdb/")


def closure(tree, path):
    """The files of Baton that `path` sees, itself first, and all include names among them."""
    seen, names, open_paths = [], set(), [path]
    while open_paths:
        here = open_paths.pop()
        if here in seen:
            continue
        seen.append(here)
        for _, _, name in includes.includes_of(tree, here):
            names.add(name)
            if name in tree:
                open_paths.append(name)
    return seen, names


def is_light(names):
    return not any(name.startswith(HEAVY) or name.endswith(".pb.h") for name in names)


def select(tree, commands):
    """[(path, compile command, files it depends on)] of what is checked."""
    chosen = []
    for entry in commands:
        full = os.path.join(entry["directory"], entry["file"])
        path = os.path.relpath(os.path.realpath(full), os.path.realpath(tree.root))
        # Kernels are compiled by nvcc, whose commands clang does not know.
        if not path.startswith(FOLDERS) or path not in tree or path.endswith(".cu"):
            continue
        files, names = closure(tree, path)
        if is_light(names):
            chosen.append((path, entry["command"], files))
    return sorted(chosen)


def ages(log):
    """{path: how many changed paths stand before it} of `git log --name-only`, newest first."""
    order = {}
    for line in log.splitlines():
        if line not in ("", "commit") and line not in order:
            order[line] = len(order)
    return order


def newest(chosen, order, count):
    """The `count` files of `chosen` that changed last; a header of the same name counts."""
    def age(entry):
        stem = entry[0].removesuffix(".cc")
        return min(order.get(stem + ".cc", len(order)), order.get(stem + ".h", len(order)))
    return sorted(sorted(chosen, key=age)[:count])


def changes(root):
    """git's changes, newest first, what is not committed before all; merges with what came by
    them. Empty without a history to speak of."""
    texts = []
    for words in (["diff", "--name-only", "HEAD"],
                  ["log", "-m", "--first-parent", "--name-only", "--format=tformat:commit"]):
        run = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, *words],
                             capture_output=True, text=True, check=False)
        texts.append(run.stdout if run.returncode == 0 else "")
    return "" if texts[1].splitlines().count("commit") < 2 else "".join(texts)


def digest(tree, version, command, files):
    hasher = hashlib.sha256()
    for part in (version, tree.text(".clang-tidy"), command):
        hasher.update(part.encode() + b"\0")
    for path in sorted(files):
        hasher.update(path.encode() + b"\0" + tree.text(path).encode() + b"\0")
    return hasher.hexdigest()


def run_one(program, build, tree, path):
    run = subprocess.run(
        [program, "--quiet", "-p", build, f"--config-file={tree.root}/.clang-tidy",
         "--extra-arg=-Wno-unknown-warning-option",
         "--extra-arg=-Wno-unknown-pragmas", os.path.join(tree.root, path)],
        capture_output=True, text=True, check=False)
    return run.returncode == 0, run.stdout + ("" if run.returncode == 0 else run.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", metavar="BUILD_DIR", type=os.path.abspath)
    parser.add_argument("--newest", type=int, metavar="N")
    flags = parser.parse_args()
    build, root = flags.build, os.path.abspath(os.path.join(HERE, "..", ".."))
    program = shutil.which("clang-tidy-14") or shutil.which("clang-tidy")
    if program is None:
        print("clang-tidy is missing: deploy/install_packages.sh ci")
        return 1
    version = subprocess.run([program, "--version"], capture_output=True, text=True,
                             check=True).stdout
    tree = source.Tree(root)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        chosen = select(tree, json.load(file))
    if not chosen:
        print("clang-tidy: no file to check, which cannot be right: is BUILD_DIR configured?")
        return 1
    order = ages(changes(root)) if flags.newest is not None else {}
    if order:
        chosen = newest(chosen, order, flags.newest)
    cache = os.path.join(build, "clang-tidy-cache")
    os.makedirs(cache, exist_ok=True)
    keys = {path: digest(tree, version, command, files) for path, command, files in chosen}
    todo = [path for path, key in keys.items() if not os.path.exists(os.path.join(cache, key))]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        runs = {path: pool.submit(run_one, program, build, tree, path) for path in todo}
        for path, future in runs.items():
            clean, output = future.result()
            if clean:
                with open(os.path.join(cache, keys[path]), "w", encoding="utf-8"):
                    pass
            else:
                bad += 1
                print(output)
    print(f"clang-tidy: {len(keys)} files, {len(keys) - len(todo)} known clean, {bad} to mend")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
