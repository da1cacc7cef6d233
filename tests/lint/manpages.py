#!/usr/bin/python3
"""mandoc -T lint finds no warning and no error in the manual pages under docs/."""
import re
import subprocess

from lintlib import Lint

COMPLAINT = re.compile(r"^mandoc: (.+?):(\d+):\d+: (.*)$")


def main():
    lint = Lint(__doc__)
    pages = [path for path in lint.files(under=("docs",)) if re.search(r"\.[1-8]$", path)]
    for page in pages:
        command = ["mandoc", "-T", "lint", "-W", "warning", page]
        result = subprocess.run(command, cwd=lint.root, capture_output=True, text=True, check=False)
        for line in (result.stdout + result.stderr).splitlines():
            match = COMPLAINT.match(line)
            if match:
                lint.find(match.group(1), int(match.group(2)), match.group(3))
        if result.returncode != 0 and not lint.findings:
            lint.find(page, 1, (result.stdout + result.stderr).strip())
    lint.finish()


if __name__ == "__main__":
    main()
