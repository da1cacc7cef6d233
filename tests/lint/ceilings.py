#!/usr/bin/python3
"""Holds the ceilings: 80 lines for a function's body, 800 for a .c file, 300 for a .h file.

tests/lint/ceilings.exceptions may list what is larger, one a line: `PATH LINES` or `PATH:FUNCTION LINES`. It may only
shrink: an entry that is no longer needed, or larger than needed, is a finding too.
"""
import re

from lintlib import Lint, code_only

FUNCTION_MAX = 80
FILE_MAX = {".c": 800, ".h": 300}
EXCEPTIONS = "tests/lint/ceilings.exceptions"
FUNCTION_NAME = re.compile(r"(\w+)\s*\(")


def functions(text):
    """Yields (name, first line, lines of body); clang-format puts a function's braces, and only those, in column 0."""
    lines = code_only(text).splitlines()
    start = None
    for number, line in enumerate(lines, start=1):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start is not None:
            signature = start - 1
            while signature > 1 and lines[signature - 1].startswith(" "):
                signature -= 1
            match = FUNCTION_NAME.search(lines[signature - 1])
            yield (match.group(1) if match else "?"), start, number - start + 1
            start = None


def read_exceptions(lint):
    exceptions = {}
    for number, line in lint.lines(EXCEPTIONS):
        line = line.split("#")[0].strip()
        if line:
            name, ceiling = line.rsplit(maxsplit=1)
            exceptions[name] = (int(ceiling), number)
    return exceptions


def main():
    lint = Lint(__doc__)
    exceptions = read_exceptions(lint)

    def measure(name, path, line, size, ceiling, what):
        excepted, exception_line = exceptions.pop(name, (None, None))
        if size > (excepted or ceiling):
            lint.find(path, line, f"{what} has {size} lines; the ceiling is {excepted or ceiling}")
        elif excepted and size <= ceiling:
            lint.find(EXCEPTIONS, exception_line, f"{name} is within the ceiling now: remove this line")
        elif excepted and size < excepted:
            lint.find(EXCEPTIONS, exception_line, f"{name} has shrunk: lower this to {size}")

    for path in lint.c_files():
        text = lint.read(path)
        measure(path, path, 1, len(text.splitlines()), FILE_MAX[path[-2:]], "this file")
        for name, line, size in functions(text):
            measure(f"{path}:{name}", path, line, size, FUNCTION_MAX, f"{name}()")
    for name, (_, line) in exceptions.items():
        lint.find(EXCEPTIONS, line, f"{name} does not exist: remove this line")
    lint.finish()


if __name__ == "__main__":
    main()
