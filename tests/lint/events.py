#!/usr/bin/python3
"""docs/EVENTS.md has every event of the log, with the levels and keys that the sources give it, and no other.

A row of one of its tables is `| `event` | level, ... | `key`, ... | meaning | what to do |`. In the sources the event is the string
of a log_*() call, or strings of a table or variable of the same file. An entry's id has one key everywhere, and a session's too.
"""
import os
import re

from lintlib import Lint

DOCUMENT = "docs/EVENTS.md"
CALL = re.compile(r"\blog_(debug|info|warning|error|event)\(")
ROW = re.compile(r"^\| `([a-z_.0-9]+)` \| ([a-z, ]+) \| ([^|]*) \| [^|]+ \| [^|]+ \|$")
NAME = re.compile(r'"([a-z]+\.[a-z_.0-9]+)"')
# What base/log_target.c puts together itself, since it can't log.
BY_HAND = {"log.dropped": ({"warning"}, {"count"})}
WRONG_KEYS = {"id": "message (of an entry), mapping, msgid (of the silo) or transaction", "entry": "message"}


def arguments_of(text, start):
    """Splits what is between the parenthesis before start and its end at commas that are not inside anything."""
    parts, depth, begin, i = [], 0, start, start
    while True:
        if text[i] == '"':
            i += 1
            while text[i] != '"':
                i += 2 if text[i] == "\\" else 1
        elif text[i] in "([{":
            depth += 1
        elif text[i] in ")]}" and depth:
            depth -= 1
        elif text[i] in ",)" and not depth:
            parts.append(text[begin:i].strip())
            begin = i + 1
            if text[i] == ")":
                return parts
        i += 1


def names_in(argument, text):
    """The events that the argument may stand for."""
    if NAME.fullmatch(argument):
        return [argument.strip('"')]
    variable = re.match(r"\w+", argument)[0]
    return [name for value in re.findall(rf"\b{variable}\b(?:\[\])? = ([^;]*);", text) for name in NAME.findall(value)]


def keys_in(argument):
    """Of "a=%s b=%" PRId64 " c=%d": what is between the strings is no key."""
    format_text = " ".join(re.findall(r'"((?:[^"\\]|\\.)*)"', argument))
    return set(re.findall(r"(?:^| )([a-z_0-9]+)=", format_text))


def events_of(lint, path, found):
    text = lint.read(path)
    for match in CALL.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        arguments = arguments_of(text, match.end())
        levels = {match.group(1)}
        if match.group(1) == "event":
            level, *arguments = arguments
            if re.match(r"enum log_level", level):
                continue   # the declaration
            levels = {word.lower() for word in re.findall(r"LOG_LEVEL_(\w+)", level) or re.findall(r"LOG_LEVEL_(\w+)", text)}
        names = names_in(arguments[0], text)
        if not names:
            lint.find(path, line, f"what event is {arguments[0]}?")
        keys = keys_in(arguments[1])
        for key in keys & set(WRONG_KEYS):
            lint.find(path, line, f"{arguments[0]}: the key {key} is called {WRONG_KEYS[key]}")
        for name in names:
            all_levels, all_keys, _ = found.setdefault(name, (set(), set(), (path, line)))
            all_levels |= levels
            all_keys |= keys


def main():
    lint = Lint(__doc__)
    found = {}
    for path in lint.files(".c", under=("base", "smtp", "tmtp", "mapping", "gateway")):
        events_of(lint, path, found)
    for name, (levels, keys) in BY_HAND.items():
        if os.path.exists(os.path.join(lint.root, "base/log.h")) and f'"{name}"' in lint.read("base/log.h"):
            found[name] = (levels, keys, ("base/log.h", 1))
    documented = {}
    for number, line in lint.lines(DOCUMENT):
        match = ROW.match(line)
        if match:
            if match.group(1) in documented:
                lint.find(DOCUMENT, number, f"{match.group(1)} has a row already")
            documented[match.group(1)] = (set(match.group(2).split(", ")), set(re.findall(r"`([^`]+)`", match.group(3))), number)
    for name, (levels, keys, (path, line)) in found.items():
        if name not in documented:
            lint.find(path, line, f"{DOCUMENT} does not have the event {name} (level {', '.join(sorted(levels))}; keys {', '.join(sorted(keys))})")
            continue
        said_levels, said_keys, number = documented[name]
        if said_levels != levels:
            lint.find(DOCUMENT, number, f"{name} has the level {', '.join(sorted(levels))}")
        if said_keys != keys:
            lint.find(DOCUMENT, number, f"{name} has the keys {', '.join(sorted(keys))}")
    for name in documented.keys() - found.keys():
        lint.find(DOCUMENT, documented[name][2], f"nothing logs {name}")
    lint.finish()


if __name__ == "__main__":
    main()
