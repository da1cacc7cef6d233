#!/usr/bin/python3
"""Whatever silences a finding of a compiler, an analyzer or a sanitizer says beside it why the finding is wrong.

    NOLINT(check): why     cppcheck-suppress id ; why     #pragma GCC diagnostic ignored, no_sanitize: a comment there, or above
"""
import re

from lintlib import Lint

NOLINT = re.compile(r"NOLINT(BEGIN|NEXTLINE)?\b")
NOLINT_REASONED = re.compile(r"NOLINT(BEGIN|NEXTLINE)?\([\w.,* -]+\): \S")
CPPCHECK = re.compile(r"cppcheck-suppress\b")
CPPCHECK_REASONED = re.compile(r"cppcheck-suppress \w+ ; \S")
COMMENTED = re.compile(r"#\s*pragma (GCC|clang) diagnostic ignored|no_sanitize")


def main():
    lint = Lint(__doc__)
    for path in lint.c_files():
        above = ""
        for number, line in lint.lines(path):
            if NOLINT.search(line) and not NOLINT_REASONED.search(line):
                lint.find(path, number, "NOLINT without its check or without a reason: NOLINT(check): why")
            if CPPCHECK.search(line) and not CPPCHECK_REASONED.search(line):
                lint.find(path, number, "cppcheck-suppress without a reason: cppcheck-suppress id ; why")
            if COMMENTED.search(line) and "/*" not in line and "*/" not in above:
                lint.find(path, number, "a warning is silenced, and no comment says why")
            if "diagnostic push" not in line:
                above = line
    lint.finish()


if __name__ == "__main__":
    main()
