"""Files of at most 500 lines, functions of at most 70."""

import ast
import re

from source import Finding, line_of

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
SIZED = (".cc", ".h", ".cu", ".cuh", ".proto", ".py", ".sh", "CMakeLists.txt", ".cmake")
TYPE = re.compile(r"\b(namespace|class|struct|union|enum)\b|\bextern\s*$")
ACCESS = re.compile(r"^\s*(public|private|protected)\s*:(?!:)")
AFTER_SIGNATURE = re.compile(
    r"\)\s*((const|noexcept(\s*\([^()]*\))?|override|final|mutable|&{1,2}|try)\s*)*"
    r"(->\s*[\w:<>,*&\s]+)?(\s*requires\b.*)?$", re.DOTALL)


def check(tree):
    found = []
    for path in tree.paths:
        if not path.endswith(SIZED):
            continue
        lines = tree.text(path).count("\n")
        if lines > FILE_LINES_MAX:
            found.append(Finding(path, FILE_LINES_MAX + 1, "file-size",
                                 f"{lines} lines, at most {FILE_LINES_MAX}: split it by what "
                                 "changes together"))
        for line, name, length in functions(tree, path):
            if length > FUNCTION_LINES_MAX:
                found.append(Finding(path, line, "function-size",
                                     f"{name} has {length} lines, at most {FUNCTION_LINES_MAX}: "
                                     "name its steps and call them"))
    return found


def functions(tree, path):
    if path.endswith((".cc", ".h", ".cu", ".cuh")):
        return cxx_functions(tree.view(path, "code"))
    if path.endswith(".py"):
        return python_functions(tree.text(path))
    return []


def python_functions(text):
    return [(node.lineno, node.name, node.end_lineno - node.lineno + 1)
            for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def cxx_functions(code):
    """(line, name, lines) of each outermost function body, from its signature's first line.

    Braces open a type's or namespace's scope, a function, or an expression (an initialiser); what
    stands before them, back to the last `;` or brace, tells which.
    """
    code = drop_directives(code)
    found, scopes = [], []  # scopes: "type", "expression", or (line, name) of a function
    begin, parens, in_function = 0, 0, 0
    for i, char in enumerate(code):
        if char == "(":
            parens += 1
        elif char == ")":
            parens = max(0, parens - 1)
        elif char == "{":
            head = code[begin:i]
            kind = "expression" if parens or in_function else classify(head)
            if isinstance(kind, str) and kind == "function":
                head = ACCESS.sub(lambda match: " " * len(match.group(0)), head)
                first = begin + len(head) - len(head.lstrip())
                scopes.append((line_of(code, first), name_of(head)))
                in_function += 1
            else:
                scopes.append(kind)
            if kind != "expression":
                begin = i + 1
        elif char == "}" and scopes:
            scope = scopes.pop()
            if isinstance(scope, tuple):
                in_function -= 1
                found.append((*scope, line_of(code, i) - scope[0] + 1))
            if scope != "expression":
                begin = i + 1
        elif char == ";" and not parens and not in_function:
            begin = i + 1
    return found


def drop_directives(code):
    kept, inside = [], False
    for line in code.split("\n"):
        directive = inside or line.lstrip().startswith("#")
        inside = directive and line.endswith("\\")
        kept.append("" if directive else line)
    return "\n".join(kept)


def classify(head):
    flat = re.sub(r"^\s*template\s*<[^{;]*?>(?=\s*\w)", "", ACCESS.sub("", head.rstrip()))
    outside = strip_parens(flat)
    if TYPE.search(outside) and not AFTER_SIGNATURE.search(flat):
        return "type"
    if "extern" in outside and "(" not in flat:
        return "type"
    if re.search(r"\)\s*(noexcept\s*)?:(?!:)", flat):  # a constructor's initialiser list
        return "function" if re.search(r"[)}]\s*$", flat) else "expression"
    if AFTER_SIGNATURE.search(flat) and not re.search(r"=\s*[^=()]*$", outside):
        return "function"
    return "expression"


def strip_parens(text):
    while True:
        shorter = re.sub(r"\([^()]*\)", "", text)
        if shorter == text:
            return text
        text = shorter


def name_of(head):
    match = re.search(r"([\w:~]+|operator\s*\S+?)\s*\(([^)]*)", head)
    if not match:
        return "a function"
    if match.group(1) in ("TEST", "TEST_F", "TEST_P", "TYPED_TEST"):
        return f"{match.group(1)}({match.group(2)})"
    return match.group(1)
