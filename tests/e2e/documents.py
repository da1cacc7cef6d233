"""Blocks of configuration out of the documents, so that what they say is what is tested."""
import os
import re

from procs import ROOT


FENCE = re.compile(r"^(?P<indent> *)```(?P<tag>[a-z]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


def blocks(document):
    """The fenced blocks of a document, as (tag, text), in their order. What is indented as part of a list is moved to the left."""
    with open(os.path.join(ROOT, document), encoding="utf-8") as file:
        found = list(FENCE.finditer(file.read()))
    return [(match["tag"], re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE)) for match in found]


def block(document, first_line):
    """The fenced block of a document that begins with this line."""
    found = [text for _, text in blocks(document) if text.startswith(first_line + "\n")]
    assert len(found) == 1, f"{document} has {len(found)} blocks that begin with {first_line!r}"
    return found[0]


def adapt(text, changes):
    """Replaces each key, which must be there, by its value."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in:\n{text}"
        text = text.replace(old, new)
    return text


def postfix_block(first_line, **changes):
    """A block of docs/postfix.md; the changes are of its ports: `_2424=port` for "127.0.0.1:2424" or "[127.0.0.1]:2525"."""
    text = block("docs/postfix.md", first_line)
    for name, port in changes.items():
        old = name.lstrip("_")
        text = adapt(text, {f":{old}": f":{port}"})
    return text
