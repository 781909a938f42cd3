"""The files that tidy reads, and C++ split into its code, comments and strings."""

import dataclasses
import os
import subprocess

CXX = (".cc", ".h", ".cu", ".cuh")


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    advice: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.advice}"


class Tree:
    """The files of one checkout, by path from its root. Texts are read once."""

    def __init__(self, root, paths=None):
        self.root = str(root)
        self.paths = sorted(paths if paths is not None else list_files(self.root))
        self._set = set(self.paths)
        self._texts = {}
        self._split = {}

    def __contains__(self, path):
        return path in self._set

    def text(self, path):
        if path not in self._texts:
            with open(os.path.join(self.root, path), "rb") as file:
                self._texts[path] = file.read().decode("utf-8", errors="replace")
        return self._texts[path]

    def view(self, path, kind):
        """`kind` is text, code, comments or strings; lines and columns stay where they are."""
        if kind == "text":
            return self.text(path)
        if path not in self._split:
            split = split_cxx if path.endswith(CXX + (".proto",)) else split_hash_comments
            self._split[path] = split(self.text(path))
        return self._split[path][kind]

    def cxx(self):
        return [path for path in self.paths if path.endswith(CXX)]


def list_files(root):
    """What git tracks and still exists; without a checkout all files but the build's."""
    try:
        out = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"],
            capture_output=True, check=True).stdout
        top = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", root, "rev-parse", "--show-toplevel"],
            capture_output=True, check=True, text=True).stdout.strip()
        if os.path.realpath(top) == os.path.realpath(root):
            names = sorted({name for name in out.decode().split("\0") if name})
            return [name for name in names if os.path.isfile(os.path.join(root, name))]
    except (OSError, subprocess.CalledProcessError):
        pass  # no git, or no checkout: a source archive
    return walk_files(root)


def walk_files(root):
    found = []
    for folder, folders, names in os.walk(root):
        relative = os.path.relpath(folder, root)
        folders[:] = [name for name in folders
                      if name not in (".git", "__pycache__")
                      and not (relative == "." and name in ("build", "runs"))]
        for name in names:
            found.append(os.path.normpath(os.path.join(relative, name)))
    return found


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def split_cxx(text):
    """Three texts of the same length: what is not of a kind is blank there."""
    kinds = {"code": list(text), "comments": blank(text), "strings": blank(text)}

    def move(kind, begin, end):
        for i in range(begin, end):
            if text[i] != "\n":
                kinds[kind][i] = text[i]
                kinds["code"][i] = " "

    i, size = 0, len(text)
    while i < size:
        two = text[i:i + 2]
        if two == "//":
            end = end_of(text, "\n", i, 0)
            move("comments", i, end)
        elif two == "/*":
            end = end_of(text, "*/", i + 2, 2)
            move("comments", i, end)
        elif text[i] == '"' and i > 0 and text[i - 1] == "R":
            mark = text[i + 1:text.index("(", i)]
            end = end_of(text, f'){mark}"', i, len(mark) + 2)
            move("strings", i + 1, end - 1)
        elif text[i] == '"' or (text[i] == "'" and not is_digit_separator(text, i)):
            end = end_of_quoted(text, i)
            move("strings", i + 1, end - 1)
        else:
            end = i + 1
        i = end
    return {kind: "".join(chars) for kind, chars in kinds.items()}


def blank(text):
    return ["\n" if char == "\n" else " " for char in text]


def end_of(text, mark, begin, extra):
    found = text.find(mark, begin)
    return len(text) if found < 0 else found + extra


def is_digit_separator(text, i):
    return i > 0 and text[i - 1].isalnum() and i + 1 < len(text) and text[i + 1].isalnum() and (
        text[max(0, i - 2):i] not in ("u8",) and text[i - 1] not in "uUL")


def end_of_quoted(text, begin):
    i = begin + 1
    while i < len(text) and text[i] != text[begin] and text[i] != "\n":
        i += 2 if text[i] == "\\" else 1
    return min(i + 1, len(text))


def split_hash_comments(text):
    """For shell, Python, CMake, YAML: a line's `#` at its start or after a blank opens a comment."""
    code, comments = [], []
    for line in text.split("\n"):
        cut = 0 if line.startswith("#") else line.find(" #") + 1
        if cut == 0 and not line.startswith("#"):
            cut = len(line)
        code.append(line[:cut])
        comments.append(" " * cut + line[cut:])
    return {"code": "\n".join(code), "comments": "\n".join(comments), "strings": ""}
