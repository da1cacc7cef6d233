#!/usr/bin/python3
"""cppcheck finds nothing in the sources of build/dev.

A finding that is wrong is suppressed in the source, with the reason: /* cppcheck-suppress ID ; why it is fine */
"""
import json
import os
import re
import subprocess
import sys

from lintlib import Lint

DATABASE = "build/dev/compile_commands.json"
CACHE = "build/lint/cppcheck"
COMPLAINT = re.compile(r"^(.+?):(\d+):(\w+): (.*)$")
# Their macros are loops and definitions, which can't be guessed.
MACRO_HEADERS = ("sys/queue.h", "jansson.h")
# Else it takes texts that begin with one of these for the same.
FORMATS = ("-DPRId64=\"ld\"", "-DPRIu64=\"lu\"", "-DPRIx64=\"lx\"")
SUPPRESSED = (
    "missingIncludeSystem", "missingInclude",   # headers of the system and of libraries are not looked into
    "getpwnamCalled", "getpwuidCalled", "readdirCalled",   # called from one thread, or on a handle of one's own
    "returnDanglingLifetime",                   # mistakes a pointer passed to a function for one returned by it;
                                                # gcc and clang's analyzer look for real ones
    "knownConditionTrueFalse",                  # knows nothing of "a < b ? a : b" but that it may be b: of 23 findings one was right
    "variableScope",                            # what a function has stands where it begins, if that reads better
)


def find_header(name):
    """Where the compiler finds a header of the system."""
    result = subprocess.run(["gcc", "-M", "-x", "c", "-"], input=f"#include <{name}>\n", capture_output=True, text=True, check=True)
    return next(word for word in result.stdout.split() if word.endswith(name))


def write_file_list(lint):
    """The sources that cppcheck looks at, one a line."""
    with open(os.path.join(lint.root, DATABASE), encoding="utf-8") as file:
        paths = sorted({entry["file"] for entry in json.load(file)})
    # Tests are full of fixtures that are meant to be odd; they are held by the compiler, the sanitizers and clang-tidy.
    paths = [path for path in paths if not os.path.relpath(path, lint.root).startswith(("tests/", "build/dev/tests/"))]
    project = os.path.join(lint.root, CACHE, "files.txt")
    with open(project, "w", encoding="utf-8") as file:
        file.write("".join(path + "\n" for path in paths))
    return project


def main():
    lint = Lint(__doc__)
    if not os.path.exists(os.path.join(lint.root, DATABASE)):
        sys.exit(f"cppcheck: no {DATABASE}: configure first (cmake --preset dev)")
    cache = os.path.join(lint.root, CACHE)
    os.makedirs(os.path.join(cache, "state"), exist_ok=True)
    command = ["cppcheck", "--quiet", f"--file-list={write_file_list(lint)}", f"--cppcheck-build-dir={cache}/state",
               "-I", lint.root, "-j", str(os.cpu_count()), "--std=c11", "--library=posix", "--library=gnu", "-D_GNU_SOURCE",
               "-D__linux__", *FORMATS, "--max-configs=1", "--enable=style", "--inline-suppr",
               *(f"--include={find_header(name)}" for name in MACRO_HEADERS), "--template={file}:{line}:{id}: {message}"]
    command += [f"--suppress={name}" for name in SUPPRESSED]
    result = subprocess.run(command, cwd=lint.root, capture_output=True, text=True, check=False)
    for line in result.stderr.splitlines():
        match = COMPLAINT.match(line)
        if match:
            path = os.path.relpath(match.group(1), lint.root) if match.group(1) != "nofile" else DATABASE
            lint.find(path, int(match.group(2)), f"{match.group(4)} [{match.group(3)}]")
        elif line.strip():
            lint.find(DATABASE, 1, line.strip())
    if result.returncode != 0 and not lint.findings:
        lint.find(DATABASE, 1, f"cppcheck failed: {result.stdout.strip()}")
    lint.findings = sorted(set(lint.findings))
    lint.finish()


if __name__ == "__main__":
    main()
