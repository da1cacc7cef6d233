"""Another renderer's word: what markdown-it, which the member's client is built on, shows of plain text is the text.

The texts are those of mapping_convert_text_property_test, generated ones and the corpus, with the CommonMark that was made of each. Compared are
the characters that show, without blanks: shape and breaks are compared there.
"""
import html
import os
import re
import subprocess

import markdown_it
import pytest

from procs import DEV

TEST = os.path.join(DEV, "mapping_convert_text_property_test")
RULE = re.compile(r"\s*([-_*=~])(?:\s*\1){2,}\s*")
FENCE = re.compile(r"(`{3,}|~~~)[\w+.#-]*\s*")
ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?=[\s\u00a0]|$)")
SPACE = re.compile(r"[\s\u00a0\u00ad\u034f\u200b-\u200f\u2060\u3000\ufeff]+")
FORBIDDEN = ("<em>", "<strong>", "<s>", "<h1>", "<h2>", "<h3>", "<h4>", "<h5>", "<h6>", "<table>", "<img", "<p><code>", " <code>")


def read_pairs(path):
    """Yields each text with its CommonMark."""
    with open(path, "rb") as file:
        while head := file.readline():
            length, rendered = map(int, head.split())
            yield file.read(length).decode(), file.read(rendered).decode()


def without_marks(line):
    """A line without quote marks and the markers of items, which lists may replace."""
    line = line.lstrip("> \t\u00a0")
    while item := ITEM.match(line):
        line = line[item.end():].lstrip(" \t\u00a0")
    return line


def shown(text):
    """The characters of the lines that are no rules or fences."""
    lines = [line for line in text.split("\n") if not RULE.fullmatch(line.lstrip("> \t")) and not FENCE.fullmatch(line.lstrip("> \t"))]
    return SPACE.sub("", "".join(without_marks(line) for line in lines))


def visible(rendered):
    """What a reader of the HTML sees."""
    rendered = rendered.replace("<hr />", "").replace("<br />", "")
    return html.unescape(re.sub(r"<[^>]*>", "", rendered))


@pytest.fixture(name="pairs", scope="module")
def fixture_pairs(tmp_path_factory):
    """Texts and their CommonMark, of a run of that test."""
    path = str(tmp_path_factory.mktemp("pairs") / "pairs")
    subprocess.run([TEST], env={**os.environ, "POSTERN_PAIRS": path, "POSTERN_ROUNDS": "1500"}, check=True, capture_output=True, timeout=300)
    return list(read_pairs(path))


def test_renders_as_written(pairs):
    """The same characters, and no markup but paragraphs, quotes, lists, code, rules and links."""
    judge = markdown_it.MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    wrong = []
    for text, commonmark in pairs:
        rendered = judge.render(commonmark)
        if shown(text) != shown(visible(rendered)):
            wrong.append((text, commonmark, rendered))
        elif any(tag in re.sub(r"<pre>.*?</pre>", "", rendered, flags=re.S) for tag in FORBIDDEN):
            wrong.append((text, commonmark, rendered))
    assert len(pairs) > 5000 and not wrong, f"{len(wrong)} of {len(pairs)}, among them {wrong[:5]!r}"


def test_judge_can_say_no(pairs):
    """Without its backslashes much of it would not be the text."""
    judge = markdown_it.MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    escaped = [(text, commonmark) for text, commonmark in pairs if "\\*" in commonmark]
    wrong = [text for text, commonmark in escaped if shown(text) != shown(visible(judge.render(commonmark.replace("\\", ""))))]
    assert len(escaped) > 100 and len(wrong) > len(escaped) // 2
