"""The include table: arrows between folders point one way."""

import re
import tomllib

from source import Finding, line_of

RULE = "include"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def load(path):
    with open(path, "rb") as file:
        table = tomllib.load(file)
    for key, row in table["folder"].items():
        unknown = set(row.get("libraries", [])) - set(table["library"])
        if unknown:
            raise ValueError(f"{path}: {key} names libraries that [library] lacks: {unknown}")
    return table


def includes_of(tree, path):
    """(line, bracket, name) of each include that is not commented out."""
    text, code = tree.text(path), tree.view(path, "code")
    for match in INCLUDE.finditer(text):
        if "include" in code[match.start():match.end()]:
            yield line_of(text, match.start(2)), match.group(1), match.group(2)


def check(tree, table):
    findings = []
    for path in tree.cxx():
        key = folder_of(path, table)
        if key is None:
            findings.append(Finding(path, 1, RULE, "no row of tests/tidy/include_table.toml covers "
                                    "this file: add one for its folder"))
            continue
        for line, bracket, name in includes_of(tree, path):
            advice = judge(tree, table, path, key, bracket, name)
            if advice:
                findings.append(Finding(path, line, RULE, advice))
    return findings


def folder_of(path, table):
    fits = [key for key in table["folder"] if path == key or path.startswith(key + "/")]
    return max(fits, key=len, default=None)


def judge(tree, table, path, key, bracket, name):
    """What to do about this include, or None when it is right."""
    row = table["folder"][key]
    for pattern, instead in table["never"].items():
        if fits(name, pattern):
            return f'"{name}" is never used here: {instead}'
    library = next((lib for lib, patterns in table["library"].items()
                    if any(fits(name, pattern) for pattern in patterns)), None)
    if library:
        if library in row.get("libraries", []):
            return None
        return (f'{key}/ does not know {library} ("{name}"): put this behind the folder that does '
                "(tests/tidy/include_table.toml)")
    if name.startswith("absl/"):
        if not row.get("pure") or any(fits(name, p) for p in table["pure"]["absl"]):
            return None
        return f'"{name}" is not for a pure folder: keep to values (tests/tidy/include_table.toml)'
    if bracket == "<":
        return judge_system(table, row, key, name)
    return judge_own(tree, table, path, key, row, name)


def judge_system(table, row, key, name):
    if row.get("pure") and name not in table["pure"]["std"]:
        return (f"<{name}> is not for {key}/, which is pure: take the value as an argument, or emit "
                "an effect (tests/tidy/include_table.toml, [pure])")
    return None


def judge_own(tree, table, path, key, row, name):
    if "/" not in name:
        return f'"{name}": write includes from the root, such as "scheduler/core/step.h"'
    source = re.sub(r"\.pb\.h$", ".proto", re.sub(r"^baton/", "proto/baton/", name))
    if source not in tree:
        return (f'"{name}" is no file of Baton and of no library in tests/tidy/include_table.toml: '
                "correct the path, or add the library there")
    if name.startswith("tests/") and not path.startswith("tests/"):
        return f'"{name}": nothing outside tests/ includes tests/'
    if folder_of(source, table) == key or any(fits(source, p) for p in row["own"]):
        return None
    return (f'{key}/ may not include "{name}"; it may include {", ".join(row["own"]) or "nothing"}: '
            "move the shared value to where both may see it, or go through a port")


def fits(name, pattern):
    """`*` stops at a slash, `**` does not."""
    parts = re.split(r"(\*\*|\*)", pattern)
    regex = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(regex, name) is not None
