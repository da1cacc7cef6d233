#!/usr/bin/python3
"""Proves that each lint can fail: feeds it small trees with one thing wrong, and one tree with nothing wrong.

Prints one line for each case; exits 1 if a lint missed what it exists for or complained about a clean tree.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

HEADER = "/* good.h - a header without fault */\n#pragma once\n\nint good_value(void);\n"
SOURCE = '#include "base/good.h"\n\nint good_value(void)\n{\n    return 4;\n}\n'
MAN_PAGE = ".Dd January 1, 2026\n.Dt GOOD 1\n.Os\n.Sh NAME\n.Nm good\n.Nd a page without fault\n"
CLEAN = {
    "base/good.h": HEADER,
    "base/good.c": SOURCE,
    "docs/good.1": MAN_PAGE,
    "docs/EVENTS.md": "# Events\n",
    "run.sh": "#!/bin/sh\nexec true\n",
    "base/.may_include": "base/\n",
    "smtp/.may_include": "base/\nsmtp/\n",
    "tmtp/.may_include": "base/\ntmtp/\n",
    "mapping/.may_include": "base/\nmapping/\nsmtp/smtp_address.h\n",
    "gateway/.may_include": "gateway/\n",
    "smtp/smtp_address.h": HEADER.replace("good.h", "smtp_address.h"),
    "tmtp/tmtp_frame.h": HEADER.replace("good.h", "tmtp_frame.h"),
}
EVENT = "| `good.done` | info | `count` | it is done | nothing |\n"
LONG_FUNCTION = "int good_value(void)\n{\n" + "    ;\n" * 79 + "}\n"
NOTE = "TO" "DO"

# lint, what is wrong, files that differ from the clean tree (None: absent), where the finding must be
CASES = [
    ("includes", "upward include", {"base/good.c": '#include "smtp/smtp_address.h"\n'}, "base/good.c:1:"),
    ("includes", "sideways include", {"smtp/a.c": '\n#include "tmtp/tmtp_frame.h"\n'}, "smtp/a.c:2:"),
    ("includes", "a header beside the one allowed",
     {"mapping/a.c": '#include "smtp/smtp_address.h"\n#include "smtp/other.h"\n', "smtp/other.h": ""}, "mapping/a.c:2:"),
    ("includes", "not written from the root", {"base/good.c": '#include "good.h"\n'}, "base/good.c:1:"),
    ("includes", "no such header", {"base/good.c": '#include "base/gone.h"\n'}, "base/good.c:1:"),
    ("includes", "outside the fence", {"gateway/a.c": "#include <sqlite3.h>\n"}, "gateway/a.c:1:"),
    ("includes", "foreign include in a public header", {"mapping/store.h": "#include <sqlite3.h>\n"}, "mapping/store.h:1:"),
    ("includes", "folder without .may_include", {"tmtp/.may_include": None}, "tmtp/.may_include:1:"),
    ("headers", "does not compile alone", {"base/good.h": HEADER + "size_t good_size(void);\n"}, "base/good.h:1:"),
    ("headers", "no guard", {"base/good.h": HEADER.replace("#pragma once\n", "")}, "base/good.h:1:"),
    ("headers", "no opening comment", {"base/good.h": HEADER.split("\n", 1)[1]}, "base/good.h:1:"),
    ("ceilings", "long function", {"base/good.c": LONG_FUNCTION}, "base/good.c:2: good_value()"),
    ("ceilings", "long source", {"base/good.c": "int a;\n" * 801}, "base/good.c:1:"),
    ("ceilings", "long header", {"base/good.h": "int a(void);\n" * 301}, "base/good.h:1:"),
    ("ceilings", "exception not needed", {"tests/lint/ceilings.exceptions": "base/good.c 900\n"},
     "tests/lint/ceilings.exceptions:1:"),
    ("ceilings", "exception too generous",
     {"base/good.c": "int a;\n" * 801, "tests/lint/ceilings.exceptions": "base/good.c 900\n"}, "tests/lint/ceilings.exceptions:1:"),
    ("banned", "unbounded copy", {"base/good.c": "\n  strcpy(a, b);\n"}, "base/good.c:2: strcpy()"),
    ("banned", "plain malloc", {"base/good.c": "x = malloc(4);\n"}, "base/good.c:1: malloc()"),
    ("banned", "a shell", {"tests/a.c": "system(command);\n"}, "tests/a.c:1: system()"),
    ("suppressions", "no reason", {"base/good.c": "int a; /* NOLINT(misc-x) */\n"}, "base/good.c:1:"),
    ("suppressions", "no check", {"base/good.c": "\nint a; /* NOLINT: it is fine */\n"}, "base/good.c:2:"),
    ("suppressions", "cppcheck silenced without a reason", {"base/good.c": "int a; /* cppcheck-suppress x */\n"}, "base/good.c:1:"),
    ("suppressions", "a pragma without a comment",
     {"base/good.c": "#pragma GCC diagnostic push\n#pragma GCC diagnostic ignored \"-Wx\"\n"}, "base/good.c:2:"),
    ("text", "tab", {"base/good.c": "int\ta;\n"}, "base/good.c:1: tab"),
    ("text", "blank at the end of a line", {"run.sh": "#!/bin/sh \n"}, "run.sh:1:"),
    ("text", "note to self", {"base/good.c": f"/* {NOTE}: later */\n"}, "base/good.c:1:"),
    ("text", "no newline at the end", {"base/good.c": "int a;"}, "base/good.c:1:"),
    ("format", "badly formatted", {"base/good.c": "int  a ;\n"}, "base/good.c:1:"),
    ("shell", "unquoted variable", {"run.sh": "#!/bin/sh\nrm $1\n"}, "run.sh:2:"),
    ("manpages", "unknown macro", {"docs/good.1": MAN_PAGE + ".Xy wrong\n"}, "docs/good.1:7:"),
    ("events", "an event that the document lacks", {"base/good.c": '\nlog_info("good.done", "count=%d", 1);\n'}, "base/good.c:2:"),
    ("events", "an event that nothing logs", {"docs/EVENTS.md": EVENT}, "docs/EVENTS.md:1:"),
    ("events", "a key that the document lacks",
     {"docs/EVENTS.md": EVENT, "base/good.c": 'log_info("good.done", "count=%d peer=%s", 1, "x");\n'}, "docs/EVENTS.md:1:"),
    ("events", "another level", {"docs/EVENTS.md": EVENT, "base/good.c": 'log_error("good.done", "count=%d", 1);\n'}, "docs/EVENTS.md:1:"),
    ("events", "an entry's id under another key", {"docs/EVENTS.md": EVENT.replace("count", "id"), "base/good.c": 'log_info("good.done", "id=%d", 1);\n'},
     "base/good.c:1:"),
    ("tidy", "result of a comparison of addresses",
     {"base/good.c": '#include <string.h>\nint cmp(const char *a);\nint cmp(const char *a)\n{\n    return strcmp(a, "x") == 2;\n}\n'},
     "base/good.c:5:"),
    ("tidy", "null pointer in a test", {"tests/unit/good_test.c": "int f(void);\nint f(void)\n{\n    int *p = 0;\n    return *p;\n}\n"}, "tests/unit/good_test.c:5:"),
    ("tidy", "a declaration that names its parameter otherwise",
     {"base/good.h": HEADER.replace("(void)", "(int width)"), "base/good.c": SOURCE.replace("(void)", "(int height)")},
     "base/good.h:4:"),
    ("cppcheck", "out of bounds", {"base/good.c": "int f(void)\n{\n    int a[4];\n    a[4] = 1;\n    return a[4];\n}\n"},
     "base/good.c:4:"),
]
LINTS = sorted({case[0] for case in CASES})


def build_tree(folder, changes):
    files = dict(CLEAN)
    for name in ("tests/lint/fences.txt", ".clang-tidy", ".clang-format"):
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            files[name] = file.read()
    files["tests/lint/ceilings.exceptions"] = "# nothing\n"
    files.update(changes)
    sources = [name for name, text in files.items() if name.endswith(".c") and text is not None]
    files["build/dev/compile_commands.json"] = json.dumps([
        {"directory": folder, "command": f"gcc -std=c17 -I{folder} -c {folder}/{name}", "file": f"{folder}/{name}"}
        for name in sources])
    for name, text in files.items():
        if text is not None:
            os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)


def run_lint(lint, changes):
    folder = os.path.realpath(tempfile.mkdtemp(prefix="postern-lint-"))
    try:
        build_tree(folder, changes)
        return subprocess.run([os.path.join(HERE, lint + ".py"), "--root", folder], capture_output=True, text=True, check=False,
                              env={**os.environ, "POSTERN_LONG": "1"})   # at full depth
    finally:
        shutil.rmtree(folder)


def main():
    failures = 0

    def report(good, name, result):
        nonlocal failures
        print(("ok   " if good else "FAIL ") + name)
        if not good:
            failures += 1
            print(f"     exit {result.returncode}\n{result.stdout}{result.stderr}")

    for lint in LINTS:
        result = run_lint(lint, {})
        report(result.returncode == 0 and result.stdout == "", f"{lint}: a clean tree", result)
    for lint, what, changes, where in CASES:
        result = run_lint(lint, changes)
        found = any(line.startswith(where) for line in result.stdout.splitlines())
        report(result.returncode == 1 and found, f"{lint}: {what}", result)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
