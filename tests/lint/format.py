#!/usr/bin/python3
"""C is formatted by clang-format 14 with the tree's .clang-format. To repair: clang-format-14 -i FILE."""
import re
import subprocess

from lintlib import Lint

COMPLAINT = re.compile(r"^(\S+?):(\d+):\d+: (?:error|warning): code should be clang-formatted")


def main():
    lint = Lint(__doc__)
    paths = lint.c_files()
    if paths:
        command = ["clang-format-14", "--dry-run", "-Werror", *paths]
        result = subprocess.run(command, cwd=lint.root, capture_output=True, text=True, check=False)
        places = {}
        for line in result.stderr.splitlines():
            match = COMPLAINT.match(line)
            if match:
                places.setdefault(match.group(1), set()).add(int(match.group(2)))
        for path, lines in places.items():
            lint.find(path, min(lines), f"not as clang-format 14 would have it (this and {len(lines) - 1} lines more)")
        if result.returncode != 0 and not lint.findings:
            lint.find(".clang-format", 1, result.stderr.strip())
    lint.finish()


if __name__ == "__main__":
    main()
