"""Dead files: sources that no CMakeLists.txt builds, headers that nobody includes, scripts that
nothing names, folders outside the house."""

import fnmatch
import os
import re

from includes import includes_of
from source import Finding

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "proto", "common", "scheduler", "worker",
             "trainer", "client", "deploy", "tests", "README.md", "CONTRIBUTING.md", "LICENSE"}
COMMENT = re.compile(r"#.*")
SOURCE_TOKEN = re.compile(r"[\w./${}-]+\.(?:cc|cu|proto|py|sh)\b")


def check(tree):
    return (check_top_level(tree) + check_lists_reached(tree) + check_sources(tree)
            + check_headers(tree) + check_scripts(tree) + check_pragma_once(tree))


def check_top_level(tree):
    found, seen = [], set()
    for path in tree.paths:
        top = path.split("/")[0]
        if top not in TOP_LEVEL and not top.startswith(".") and top not in seen:
            seen.add(top)
            found.append(Finding(path, 1, "top-level",
                                 f"`{top}` is not a room of the house (CONTRIBUTING.md): move it "
                                 "into the folder whose job it is"))
    return found


def cmake_lists(tree):
    return [path for path in tree.paths if os.path.basename(path) == "CMakeLists.txt"]


def cmake_code(tree, path):
    return COMMENT.sub("", tree.text(path))


def check_lists_reached(tree):
    found = []
    for path in cmake_lists(tree):
        folder = os.path.dirname(path)
        if folder and not any(reaches(tree, up, folder) for up in ancestors(folder)):
            found.append(Finding(path, 1, "unreached",
                                 "no CMakeLists.txt above adds this folder: call "
                                 "baton_add_folders() in its parent's"))
    return found


def ancestors(folder):
    while folder:
        folder = os.path.dirname(folder)
        yield folder


def reaches(tree, up, folder):
    path = os.path.join(up, "CMakeLists.txt")
    if path not in tree:
        return False
    code = cmake_code(tree, path)
    relative = os.path.relpath(folder, up or ".")
    if re.search(rf"\badd_subdirectory\s*\(\s*{re.escape(relative)}[\s)]", code):
        return True
    called = re.sub(r"function\s*\(\s*baton_add_folders.*?endfunction\s*\(\s*\)", "", code,
                    flags=re.DOTALL)
    return "/" not in relative and "baton_add_folders()" in called


def check_sources(tree):
    patterns = []
    for path in cmake_lists(tree):
        folder = os.path.dirname(path)
        for token in SOURCE_TOKEN.findall(cmake_code(tree, path)):
            patterns.append(resolve(folder, token))
    exact = {pattern for pattern in patterns if "*" not in pattern}
    globs = [pattern for pattern in patterns if "*" in pattern]
    found = []
    for path in tree.paths:
        is_test = path.startswith("tests/") and re.search(r"_test\.(py|sh)$", path)
        if not (path.endswith((".cc", ".cu", ".proto")) or is_test):
            continue
        if path not in exact and not any(fnmatch.fnmatch(path, glob) for glob in globs):
            found.append(Finding(path, 1, "unregistered",
                                 "no CMakeLists.txt names this file: register it in its folder's, "
                                 "or delete it"))
    return found


def resolve(folder, token):
    if token.startswith("${PROJECT_SOURCE_DIR}/"):
        folder, token = "", token.split("/", 1)[1]
    token = re.sub(r"^\$\{CMAKE_CURRENT_SOURCE_DIR\}/", "", token)
    token = re.sub(r"\$\{\w+\}", "*", token)
    return os.path.normpath(os.path.join(folder, token))


def check_headers(tree):
    included = {}
    for path in tree.cxx():
        for _, _, name in includes_of(tree, path):
            included.setdefault(name, set()).add(path)
    found = []
    for path in tree.cxx():
        if path.endswith((".h", ".cuh")):
            own = os.path.splitext(path)[0]
            users = {user for user in included.get(path, ()) if os.path.splitext(user)[0] != own}
            if not users:
                found.append(Finding(path, 1, "unused-header",
                                     "no other file includes it: use it, or delete it and its .cc"))
    return found


def check_scripts(tree):
    """A script under deploy/ or tests/ is named by another tracked file or imported by one."""
    scripts = [path for path in tree.paths
               if path.endswith((".py", ".sh")) and path.startswith(("deploy/", "tests/"))]
    texts = {path: tree.text(path) for path in tree.paths
             if path.endswith((".py", ".sh", ".md", "CMakeLists.txt", ".txt"))
             or path.startswith(".ci/")}
    found = []
    for path in scripts:
        name = os.path.basename(path)
        stem = os.path.splitext(name)[0]
        word = re.compile(rf"\b{re.escape(name)}\b|^\s*(import|from) {re.escape(stem)}\b",
                          re.MULTILINE)
        if not any(word.search(text) for other, text in texts.items() if other != path):
            found.append(Finding(path, 1, "unregistered",
                                 "nothing runs or names this script: register or delete it"))
    return found


def check_pragma_once(tree):
    return [Finding(path, 1, "pragma-once", "begin the header with `#pragma once`")
            for path in tree.cxx()
            if path.endswith((".h", ".cuh")) and "#pragma once" not in tree.view(path, "code")]


def unit_tests(tree):
    """The sources of the tests that carry the label unit."""
    found = []
    for path in cmake_lists(tree):
        for call in re.findall(r"\bbaton_test\s*\(([^)]*)\)", cmake_code(tree, path)):
            if re.search(r"\bLABEL\s+unit\b", call):
                found += [resolve(os.path.dirname(path), token)
                          for token in SOURCE_TOKEN.findall(call)]
    return [path for path in found if path in tree]
