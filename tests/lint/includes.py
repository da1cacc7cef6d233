#!/usr/bin/python3
"""Holds the arrows of the architecture: who may include whom.

Each folder's .may_include names what its files may include of ours: a folder ("base/") or a single header
("smtp/smtp_address.h"). tests/lint/fences.txt names the few files that may include a foreign library's headers; a public
header never may. Tests include what they like of ours.
"""
import fnmatch
import os
import re

from lintlib import FOLDERS_OF_C, Lint

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def read_may_include(lint, folder):
    path = os.path.join(folder, ".may_include")
    if not os.path.exists(os.path.join(lint.root, path)):
        lint.find(path, 1, "missing: every folder says what it may include")
        return []
    entries = []
    for _, line in lint.lines(path):
        entry = line.split("#")[0].strip()
        if entry:
            entries.append(entry)
    return entries


def read_fences(lint):
    fences = []
    for _, line in lint.lines("tests/lint/fences.txt"):
        line = line.split("#")[0].rstrip()
        if line:
            library, headers, files = re.split(r"\s{2,}", line, maxsplit=2)
            fences.append((library, headers.split(), files.split()))
    return fences


def allowed(entries, included):
    return any(included.startswith(entry) if entry.endswith("/") else included == entry for entry in entries)


def check_ours(lint, entries, path, number, included):
    if "/" not in included:
        lint.find(path, number, f'"{included}": write includes from the root ("base/strbuf.h")')
    elif not os.path.exists(os.path.join(lint.root, included)):
        lint.find(path, number, f'"{included}": no such file in the tree; foreign headers are written with <>')
    elif entries is not None and not allowed(entries, included):
        lint.find(path, number, f'"{included}": {os.path.dirname(path)}/.may_include does not allow it')


def check_foreign(lint, fences, path, number, included):
    for library, headers, files in fences:
        if any(fnmatch.fnmatch(included, header) for header in headers):
            if not any(fnmatch.fnmatch(path, pattern) for pattern in files):
                lint.find(path, number, f"<{included}>: {library} is fenced behind {' '.join(files)}")
            elif path.endswith(".h") and not path.endswith("_internal.h"):
                lint.find(path, number, f"<{included}>: no foreign include in a public header")


def main():
    lint = Lint(__doc__)
    fences = read_fences(lint)
    may_include = {folder: read_may_include(lint, folder) for folder in FOLDERS_OF_C if folder != "tests"}
    for path in lint.c_files():
        folder = path.split("/")[0]
        entries = may_include.get(folder)
        for number, line in lint.lines(path):
            match = INCLUDE.match(line)
            if match and match.group(1) == '"':
                check_ours(lint, entries, path, number, match.group(2))
            elif match and folder != "tests":
                check_foreign(lint, fences, path, number, match.group(2))
    lint.finish()


if __name__ == "__main__":
    main()
