"""What the lints share: the files of the tree, findings, and exit codes.

Every lint is a program of its own: `tests/lint/NAME.py [--root DIR]` prints `file:line: message` for each finding and
exits 1 when there are any, 0 when there are none, 2 when it could not do its work.
"""
import argparse
import os
import sys

FOLDERS_OF_C = ("base", "smtp", "tmtp", "mapping", "gateway", "tests")
SKIPPED_FOLDERS = {".git", "build", "__pycache__", ".pytest_cache", "corpus", "corpora"}


class Lint:
    """One run of one lint over one tree."""

    def __init__(self, description):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "..", ".."),
                            help="the tree to look at (default: this one)")
        self.root = os.path.realpath(parser.parse_args().root)
        self.findings = []

    def find(self, path, line, message):
        self.findings.append((path, line, message))

    def finish(self):
        """Prints the findings and exits accordingly."""
        for path, line, message in sorted(self.findings):
            print(f"{path}:{line}: {message}")
        sys.exit(1 if self.findings else 0)

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def lines(self, path):
        """Pairs of line number (from 1) and text."""
        return enumerate(self.read(path).splitlines(), start=1)

    def files(self, *suffixes, under=("",)):
        """Paths relative to the root, sorted, of our own text files with one of the suffixes (all, when none is given)."""
        found = []
        for top in under:
            for folder, subfolders, names in os.walk(os.path.join(self.root, top)):
                subfolders[:] = [name for name in subfolders if name not in SKIPPED_FOLDERS]
                for name in names:
                    if not suffixes or name.endswith(suffixes):
                        found.append(os.path.relpath(os.path.join(folder, name), self.root))
        return sorted(found)

    def c_files(self, *suffixes):
        return self.files(*(suffixes or (".c", ".h")), under=FOLDERS_OF_C)


def code_only(text):
    """The C source with comments and the insides of strings blanked out, line structure kept."""
    out = []
    i = 0
    while i < len(text):
        two = text[i:i + 2]
        if two == "/*":
            end = text.find("*/", i + 2)
            end = len(text) if end < 0 else end + 2
            out.append("".join(c if c == "\n" else " " for c in text[i:end]))
        elif two == "//":
            end = text.find("\n", i)
            end = len(text) if end < 0 else end
            out.append(" " * (end - i))
        elif text[i] in "\"'":
            end = i + 1
            while end < len(text) and text[end] != text[i] and text[end] != "\n":
                end += 2 if text[end] == "\\" else 1
            end = min(end + 1, len(text))
            out.append(text[i] + "".join(c if c == "\n" else " " for c in text[i + 1:end - 1]) + text[end - 1])
        else:
            end = i + 1
            out.append(text[i])
        i = end
    return "".join(out)
