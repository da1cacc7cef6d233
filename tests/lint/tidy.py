#!/usr/bin/python3
"""clang-tidy 14 with the tree's .clang-tidy over every C source of build/dev, as many at a time as there are cores.

clang's analyzer, which takes most of the time, looks at the tests with POSTERN_LONG=1, and at what ships in tests/analysis/run.

A clean file is remembered in build/lint/tidy under a hash of everything that its result depends on (its text, the text of
our headers that it includes, its compiler flags, the configuration), so a repeated run looks only at what changed.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys

from lintlib import Lint

DATABASE = "build/dev/compile_commands.json"
CACHE = "build/lint/tidy"
LONG = os.environ.get("POSTERN_LONG") == "1"
OUR_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
COMPLAINT = re.compile(r"^(/.+?):(\d+):\d+: (?:warning|error): (.*)$")


def closure(root, path, seen):
    """The file and all of our headers that it includes, directly or not."""
    full = os.path.join(root, path)
    if path in seen or not os.path.exists(full):
        return seen
    with open(full, encoding="utf-8") as file:
        seen[path] = file.read()
    for included in OUR_INCLUDE.findall(seen[path]):
        closure(root, included, seen)
    return seen


def checks_of(path):
    return [] if LONG and path.startswith("tests/") else ["--checks=-clang-analyzer-*"]


def cache_key(lint, path, command):
    parts = [lint.read(name) for name in lint.files(".clang-tidy")] + [command, *checks_of(path)]
    for name, text in sorted(closure(lint.root, path, {}).items()):
        parts += [name, text]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def compiler_flags(command):
    """What of a compiler's command line says how to read the source: its macros, folders and language."""
    words = shlex.split(command)
    return [word for word in words if word.startswith(("-D", "-U", "-I", "-std="))] + [
        flag for first, second in zip(words, words[1:]) if first == "-isystem" for flag in (first, second)]


def run_tidy(root, path, command):
    # Flags are given here, not taken from the database: a file that is compiled twice is in there twice, and clang-tidy 14
    # would look at it twice in one run, which makes it see uninitialized va_lists.
    command = ["clang-tidy-14", "--quiet", *checks_of(path), path, "--", "-Wall", "-Wextra", *compiler_flags(command)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def main():
    lint = Lint(__doc__)
    database = os.path.join(lint.root, DATABASE)
    if not os.path.exists(database):
        sys.exit(f"tidy: no {DATABASE}: configure first (cmake --preset dev)")
    os.makedirs(os.path.join(lint.root, CACHE), exist_ok=True)
    with open(database, encoding="utf-8") as file:
        commands = {os.path.relpath(entry["file"], lint.root): entry["command"] for entry in reversed(json.load(file))}
    stale = {}
    for path, command in sorted(commands.items()):
        key = cache_key(lint, path, command)
        if not os.path.exists(os.path.join(lint.root, CACHE, key)):
            stale[path] = key

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda path: run_tidy(lint.root, path, commands[path]), stale)
        for path, result in zip(stale, results):
            found = {COMPLAINT.match(line) for line in result.stdout.splitlines()} - {None}
            for match in found:
                lint.find(os.path.relpath(match.group(1), lint.root), int(match.group(2)), match.group(3))
            if result.returncode == 0 and not found:
                with open(os.path.join(lint.root, CACHE, stale[path]), "w", encoding="utf-8") as file:
                    file.write(path + "\n")
            elif not found:
                lint.find(path, 1, f"clang-tidy failed: {(result.stdout + result.stderr).strip()[-400:]}")
    lint.findings = sorted(set(lint.findings))
    lint.finish()


if __name__ == "__main__":
    main()
