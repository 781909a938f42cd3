"""Banned tokens, hash order in pure folders, and names that say nothing."""

import os
import re
import tomllib

from includes import fits, folder_of
from source import Finding

HASH_MAP = re.compile(
    r"\b(?:std::unordered_(?:multi)?(?:map|set)|absl::(?:flat|node)_hash_(?:map|set))\s*<")
VAGUE = re.compile(r"(^|_)(utils?|misc|helpers?|stuff|common_?utils)(_|$)")


def load(path):
    with open(path, "rb") as file:
        rules = tomllib.load(file)["rule"]
    for rule in rules:
        rule["regex"] = re.compile(rule["find"])
    return rules


def check(tree, rules, table, unit_tests):
    pure = {path for path in tree.cxx() if is_pure(path, table)}
    groups = {"<pure>": pure, "<unit tests>": set(unit_tests)}
    findings = []
    for path in tree.paths:
        for rule in rules:
            if applies(rule, path, groups):
                findings += search(tree, path, rule)
        findings += check_name(path)
    return findings + check_hash_order(tree, pure)


def is_pure(path, table):
    key = folder_of(path, table)
    return key is not None and table["folder"][key].get("pure", False)


def applies(rule, path, groups):
    if any(fits(path, pattern) for pattern in rule.get("but", [])):
        return False
    return any(path in groups[pattern] if pattern in groups else fits(path, pattern)
               for pattern in rule["files"])


def search(tree, path, rule):
    kind = rule["in"]
    if path.endswith(".md"):
        kind = "text"  # prose has no comments
    found = []
    for number, line in enumerate(tree.view(path, kind).split("\n"), 1):
        match = rule["regex"].search(line)
        if match:
            found.append(Finding(path, number, rule["name"],
                                 f"`{match.group(0).strip()[:60]}`: {rule['instead']}"))
    return found


def check_name(path):
    found = []
    for part in path.split("/"):
        if VAGUE.search(os.path.splitext(part)[0]):
            found.append(Finding(path, 1, "vague-name",
                                 f"`{part}` says nothing: name what is inside"))
    return found


def check_hash_order(tree, pure):
    """A hash map may be looked up in a pure folder, never walked. Members are declared in headers,
    so names are gathered over all pure files that share a stem or see the header."""
    names = set()
    for path in pure:
        code = tree.view(path, "code")
        for match in HASH_MAP.finditer(code):
            after = after_template(code, match.end())
            name = re.match(r"\s*&?\s*(\w+)\s*(?:;|=|\{|,|\)|ABSL)", code[after:after + 120])
            if name:
                names.add(name.group(1))
    if not names:
        return []
    any_name = "|".join(sorted(re.escape(name) for name in names))
    walk = re.compile(rf"\bfor\s*\([^;)]*:[^;)]*\b({any_name})\s*\)|\b({any_name})\.c?begin\(")
    found = []
    for path in sorted(pure):
        for number, line in enumerate(tree.view(path, "code").split("\n"), 1):
            match = walk.search(line)
            if match:
                found.append(Finding(path, number, "hash-order",
                                     f"`{match.group(0)}` walks a hash map: use an ordered map, "
                                     "nothing may depend on hash order"))
    return found


def after_template(code, begin):
    depth, i = 1, begin
    while i < len(code) and depth:
        depth += {"<": 1, ">": -1}.get(code[i], 0)
        i += 1
    return i
