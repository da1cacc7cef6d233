#!/usr/bin/python3
"""Plain things about text files: no tabs, no blanks at line ends, no notes to self, one newline at the end."""
import re

from lintlib import Lint

SUFFIXES = (".c", ".h", ".py", ".sh", ".txt", ".cmake", ".md", ".json", ".conf", ".yml", ".service", ".dict",
            ".1", ".5", ".8", ".may_include", ".clang-tidy", ".clang-format", ".exceptions")
PROGRAMS = ("check", "demo", ".ci/run", "tests/fuzz/run", "tests/bench/run", "scripts/install-packages",
            "scripts/build-deb", "scripts/sbom", "tests/packages/run")
NOTE = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def main():
    lint = Lint(__doc__)
    everything = lint.files()
    for path in everything:
        if not (path.endswith(SUFFIXES) or path in PROGRAMS):
            continue
        text = lint.read(path)
        for number, line in enumerate(text.split("\n"), start=1):
            if "\t" in line:
                lint.find(path, number, "tab")
            if line.rstrip() != line:
                lint.find(path, number, "white space at the end of the line")
            note = NOTE.search(line)
            if note:
                lint.find(path, number, f"{note.group(1)}: do it now, or file an issue")
        if text and not text.endswith("\n"):
            lint.find(path, text.count("\n") + 1, "no newline at the end of the file")
        if text.endswith("\n\n"):
            lint.find(path, text.count("\n"), "empty line at the end of the file")
    lint.finish()


if __name__ == "__main__":
    main()
