#!/usr/bin/python3
"""Every header says what it is first, is guarded by #pragma once, and compiles alone."""
import concurrent.futures
import os
import subprocess
import sys

from lintlib import Lint

PACKAGES = ("libevent", "openssl", "libseccomp", "jansson", "sqlite3", "md4c", "libconfuse", "libunbound")


def foreign_flags():
    """Only internal headers include a foreign library's (lint: includes); for the others these change nothing."""
    result = subprocess.run(["pkg-config", "--cflags", *PACKAGES], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"headers: {result.stderr.strip()}")
    return result.stdout.split()


def compile_alone(root, path, flags):
    """Compiles a file that consists of this include, twice over; returns the compiler's complaints."""
    source = f'#include "{path}"\n#include "{path}"\n'
    command = ["gcc", "-std=c17", "-D_GNU_SOURCE", "-I.", *flags, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c", "-"]
    return subprocess.run(command, input=source, cwd=root, capture_output=True, text=True, check=False).stderr


def main():
    lint = Lint(__doc__)
    flags = foreign_flags()
    headers = lint.c_files(".h")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = pool.map(lambda path: compile_alone(lint.root, path, flags), headers)
    for path, complaint in zip(headers, complaints):
        text = lint.read(path)
        name = os.path.basename(path)
        if not text.startswith(f"/* {name} - "):
            lint.find(path, 1, f'begin with "/* {name} - what it is"')
        if text.count("\n#pragma once\n") != 1:
            lint.find(path, 1, "say #pragma once, once")
        errors = [line for line in complaint.splitlines() if "error:" in line]
        if errors:
            lint.find(path, 1, f"does not compile alone: {errors[0]}")
        elif complaint:
            lint.find(path, 1, f"does not compile alone: {complaint.splitlines()[0]}")
    lint.finish()


if __name__ == "__main__":
    main()
