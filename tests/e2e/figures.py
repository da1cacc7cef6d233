"""The daemon's figures: asking for them, reading them, and promtool, which is only unpacked (scripts/unpack-packages)."""
import http.client
import json
import os
import re
import subprocess

from procs import PATIENCE, ROOT

PROMTOOL = os.path.join(ROOT, "build", "neighbours", "usr", "bin", "promtool")
SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')


def ask(port, path, method="GET", **fields):
    """(status, header fields in lower case, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, headers=fields)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def health(port, page):
    status, _, body = ask(port, page)
    answer = json.loads(body)
    return status, answer["status"], answer["reasons"]


class Figures:
    """What /metrics says: families, and samples by name and labels."""

    def __init__(self, text):
        self.text = text
        self.types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
        self.helps = dict(re.findall(r"^# HELP (\w+) (.+)$", text, re.MULTILINE))
        self.samples = {}
        self.labels = {}   # {label: values} of each family
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = SAMPLE.fullmatch(line).groups()
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
            self.samples[name, frozenset(labels.items())] = float(value)
            family = name if name in self.types else re.sub("_(bucket|sum|count)$", "", name)
            for label in set(labels) - {"le"}:
                self.labels.setdefault(family, {}).setdefault(label, set()).add(labels[label])

    def get(self, name, **labels):
        return self.samples[name, frozenset(labels.items())]

    def by(self, label, name, **labels):
        """{value of the label: sample}."""
        found = {}
        for (sample, those), value in self.samples.items():
            those = dict(those)
            if sample == name and label in those and all(those.get(key) == text for key, text in labels.items()):
                found[those[label]] = value
        return found


def figures(port):
    status, fields, body = ask(port, "/metrics")
    assert status == 200 and fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8", (status, fields)
    return Figures(body)


def promtool(*arguments, stdin="", folder=ROOT):
    result = subprocess.run([PROMTOOL, *arguments], input=stdin, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return result.returncode, result.stdout + result.stderr
