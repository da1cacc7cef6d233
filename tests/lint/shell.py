#!/usr/bin/python3
"""shellcheck finds nothing in our shell programs, which are known by their first line."""
import re
import subprocess

from lintlib import Lint

SHELL = re.compile(r"^#!\s*(/usr)?/bin/(env )?(ba)?sh\b")
COMPLAINT = re.compile(r"^(.+?):(\d+):\d+: (.*)$")


def main():
    lint = Lint(__doc__)
    scripts = [path for path in lint.files() if SHELL.match(lint.read(path)[:40])]
    if scripts:
        result = subprocess.run(["shellcheck", "-f", "gcc", *scripts], cwd=lint.root, capture_output=True, text=True, check=False)
        for line in result.stdout.splitlines():
            match = COMPLAINT.match(line)
            if match:
                lint.find(match.group(1), int(match.group(2)), match.group(3))
        if result.returncode > 1:
            lint.find(scripts[0], 1, result.stderr.strip())
    lint.finish()


if __name__ == "__main__":
    main()
