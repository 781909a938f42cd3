"""Pages for people: every path they name exists, figures stand beside their command, and the
README begins with the two commands that everybody needs."""

import os
import re

from registration import TOP_LEVEL
from source import Finding, line_of

FIRST_BLOCKS = ["./deploy/quickstart.sh", "./deploy/test.sh"]
BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
MADE = ("build/", "runs/")
# A measured figure: a number with a unit of rate, time or share.
FIGURE = re.compile(
    r"(?<![\w.#])\d[\d ,.]*\s?(img/s|images/s|jobs/s|submits/s|events/s|/s\b|ms\b|µs\b|us\b|"
    r"s\b|seconds\b|minutes\b|%|MiB/s|GiB\b|times (faster|slower)|x (faster|slower))")
COMMAND = re.compile(r"(^|[`\s])(\./|build/|baton |baton-\w+ |ctest |python3 )", re.MULTILINE)


def check(tree):
    found = []
    for path in tree.paths:
        if path.endswith(".md"):
            found += check_paths(tree, path)
    for path in ("README.md", "CONTRIBUTING.md", "tests/README.md"):
        if path not in tree:
            found.append(Finding(path, 1, "docs", "this page is missing: write it"))
    if "README.md" in tree:
        found += check_first_blocks(tree) + check_figures(tree)
    return found


def check_paths(tree, page):
    text = tree.text(page)
    folders = {os.path.dirname(path) for path in tree.paths}
    folders |= {up for folder in folders for up in parents(folder)}
    found = []
    prose = BLOCK.sub(lambda block: re.sub(r"[^\n]", " ", block.group(0)), text)
    for span in SPAN.finditer(prose):
        for word in span.group(1).split():
            for path in expand(word):
                if is_path(path) and not exists(tree, folders, path):
                    found.append(Finding(page, line_of(text, span.start()), "no-such-path",
                                         f"`{path}` does not exist: correct the page"))
    return found


def parents(folder):
    while "/" in folder:
        folder = os.path.dirname(folder)
        yield folder


def expand(word):
    """`a/x.{h,cc}` is two paths; `a/<name>.cc` is its fixed part."""
    word = word.strip("(),;:\"'").removeprefix("./")
    word = re.split(r"[<*]", word)[0] if re.search(r"[<*]", word) else word
    if word and not word.endswith("/") and word.count("/") and re.search(r"[_.-]$", word):
        word = word.rsplit("/", 1)[0] + "/"
    match = re.fullmatch(r"(.*)\{([^{}]*)\}(.*)", word)
    if match:
        return [match.group(1) + part + match.group(3) for part in match.group(2).split(",")]
    return [word]


def is_path(path):
    first = path.split("/")[0]
    return "/" in path and first in TOP_LEVEL | {".ci"} and not path.startswith(MADE)


def exists(tree, folders, path):
    bare = path.rstrip("/")
    return bare in tree or bare in folders


def check_first_blocks(tree):
    text = tree.text("README.md")
    blocks = [(line_of(text, m.start()), m.group(1).strip()) for m in BLOCK.finditer(text)]
    found = []
    for i, wanted in enumerate(FIRST_BLOCKS):
        line, block = blocks[i] if i < len(blocks) else (1, "(none)")
        if block != wanted:
            found.append(Finding("README.md", line, "first-blocks",
                                 f"code block {i + 1} is `{block}`; it must be `{wanted}`"))
    return found


def check_figures(tree):
    """A section of the README that states a measured figure names the command that prints it."""
    found, start = [], 1
    for section in re.split(r"(?m)^(?=#)", tree.text("README.md")):
        figure = FIGURE.search(BLOCK.sub("", section))
        if figure and not COMMAND.search(section):
            found.append(Finding("README.md", start + line_of(section, figure.start()) - 1, "figure",
                                 f"`{figure.group(0)}`: put the command that prints this figure "
                                 "into the same section"))
        start += section.count("\n")
    return found
