#!/usr/bin/python3
"""Functions that this project does without, and what to use instead. Tests may allocate as they like."""
import re

from lintlib import Lint, code_only

STRBUF = "compose text with base/strbuf.h"
STRTO = "use strtol() or strtoull() and check the end and errno"
XMALLOC = "use base/xmalloc.h"

BANNED = {
    "strcpy": STRBUF, "stpcpy": STRBUF, "strcat": STRBUF, "strncat": STRBUF, "strncpy": STRBUF,
    "sprintf": STRBUF, "vsprintf": STRBUF,
    "gets": "use stream_read_line() or getline()",
    "atoi": STRTO, "atol": STRTO, "atoll": STRTO, "atof": STRTO,
    "strtok": "it keeps hidden state; use strcspn() and strspn()",
    "system": "no shell, ever", "popen": "no shell, ever",
    "alloca": "the stack has no declared limit", "strdupa": "the stack has no declared limit",
    "malloc": XMALLOC, "calloc": XMALLOC, "realloc": XMALLOC, "reallocarray": XMALLOC,
    "strdup": XMALLOC, "strndup": XMALLOC, "asprintf": STRBUF, "vasprintf": STRBUF,
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
MEMORY_HOMES = ("base/xmalloc.c", "base/wipe.c", "tests/")


def main():
    lint = Lint(__doc__)
    for path in lint.c_files():
        for number, line in enumerate(code_only(lint.read(path)).splitlines(), start=1):
            for match in CALL.finditer(line):
                name = match.group(1)
                if not (path.startswith(MEMORY_HOMES) and BANNED[name] == XMALLOC):
                    lint.find(path, number, f"{name}(): {BANNED[name]}")
    lint.finish()


if __name__ == "__main__":
    main()
