"""What the log must never have, secrets of the gateway and what people write to each other, and what each of its lines must be."""
import base64
import os
import re
import sqlite3

from procs import ROOT

VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^ "=]*)'
LINE = re.compile(rf"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z level=(\w+) event=(\S+)((?: [a-z_0-9]+={VALUE})*)$")
ROW = re.compile(r"^\| `([a-z_.0-9]+)` \| ([a-z, ]+) \| ([^|]*) \|", re.MULTILINE)


def documented_events():
    with open(os.path.join(ROOT, "docs", "EVENTS.md"), encoding="utf-8") as file:
        return {name: (levels.split(", "), set(re.findall(r"`([^`]+)`", keys))) for name, levels, keys in ROW.findall(file.read())}


def check_lines(log):
    """Each is one event of docs/EVENTS.md, with a level and keys that it has there."""
    events = documented_events()
    for line in log.split("\n")[:-1]:
        match = LINE.match(line)
        assert match, f"no line of a log: {line!r}"
        level, event, rest = match.groups()
        levels, keys = events[event]
        assert level in levels and set(re.findall(rf" ([a-z_0-9]+)={VALUE}", rest)) <= keys, line
        assert line.isprintable(), line


def secrets_of(gateway):
    """Everything in its state that is nobody else's business, in the forms that it may take."""
    with sqlite3.connect(os.path.join(gateway.state, "postern.db")) as database:
        nodes = [row[0] for row in database.execute("SELECT node FROM account") if row[0]]
        values = [row[0] for row in database.execute("SELECT value FROM secret")]
    key = os.path.join(gateway.state, "hold.key")
    if os.path.exists(key):
        with open(key, "rb") as file:
            values.append(file.read().strip())
    assert nodes and values
    forms = [form(value) for value in values for form in (bytes.hex, lambda value: base64.b64encode(value).decode())]
    return nodes + forms + [value.decode() for value in values if value.isascii()]


def check_log(gateway, written):
    """written: what was said in mail and threads, subjects too."""
    log = gateway.read_log()
    check_lines(log)
    for secret in secrets_of(gateway):
        assert secret not in log, "a secret of the gateway is in the log"
    for text in written:
        assert text not in log, f"{text!r} is in the log"
