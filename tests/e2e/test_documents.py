"""What the documents name is there: events of the log, keys of the configuration, rooms of the house, places that links lead to."""
import glob
import os
import re

from procs import ROOT

DOCUMENTS = ["README.md", "CHANGES.md", "SECURITY.md", *sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, "docs", "*.md")))]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def place_of(heading):
    """As the anchor of a heading is made of it."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("#").strip().lower()).replace(" ", "-")


def test_events_of_the_log():
    """An administrator who looks for one that does not exist waits in vain. tests/lint/events.py compares docs/EVENTS.md with the sources."""
    logged = set(re.findall(r"^\| `([a-z]+\.[a-z_0-9.]+)`", read("docs/EVENTS.md"), re.MULTILINE))
    for row in re.findall(r"^.*\blog\b.*$", read("docs/TROUBLESHOOTING.md") + read("docs/OPERATION.md") + read("docs/APPROVALS.md"), re.MULTILINE):
        for event in re.findall(r"`log: ([a-z_.]+)|`([a-z]+\.[a-z]+_?[a-z_]*)` (?:in|of) the log|or `([a-z]+\.[a-z]+)`(?= \|)", row):
            name = "".join(event)
            assert name in logged, f"no such event: {name}, in: {row}"


def test_keys_of_the_configuration():
    schema = read("gateway/config_schema.c")
    manual = re.sub(r"\\[-&]|[\"]", "", read("docs/postern.conf.5"))
    for key in re.findall(r'CFG_(?:STR|INT|BOOL|STR_LIST|SEC)\("(\w+)"', schema):
        assert re.search(rf"^[.](It Ic|Ss) .*\b{key}\b", manual, re.MULTILINE), f"postern.conf(5) does not have {key}"


def test_rooms_of_the_conversion():
    """The map has each of them once, and nothing names one that does not exist."""
    rooms = {os.path.basename(path).rsplit(".", 1)[0] for path in glob.glob(f"{ROOT}/mapping/convert*.[ch]")}
    _, _, table = read("docs/ARCHITECTURE.md").partition("## The rooms of the conversion")
    named = re.findall(r"`(convert\w*)`", table.partition("| room |")[2].partition("## ")[0])
    assert sorted(named) == sorted(rooms)
    for document in DOCUMENTS:
        for folder, name in re.findall(r"`(?:(gateway|mapping)/)?(\w+)`", read(document)):
            if folder == "gateway":
                assert glob.glob(f"{ROOT}/gateway/{name}*.[ch]"), f"{document}: gateway/{name}"
            elif name.startswith("convert_") and name != "convert_show":
                assert name in rooms, f"{document}: {name}"


def test_what_the_security_document_names():
    """Where a defence is, and the test that shows it; and the system calls, as the filters have them."""
    document = read("docs/SECURITY.md")
    for folder, name in re.findall(r"`(base|smtp|tmtp|mapping|gateway|cmake|e2e|unit|fuzz|dialogue)/([\w.*]*)`", document):
        place = f"tests/{folder}" if folder in ("e2e", "unit", "fuzz", "dialogue") else folder
        assert glob.glob(f"{ROOT}/{place}/{name}*"), f"{folder}/{name}"
    _, _, table = document.partition("## System calls")
    for file in ("daemon", "worker", "resolver"):
        source = read(f"base/{file}_sandbox.c")
        row, = re.findall(rf"^\|.*`base/{file}_sandbox.c`.*$", table, re.MULTILINE)
        whole = set(re.findall(r"SCMP_SYS\((\w+)\)", "".join(re.findall(r"(?:always_allowed|deadly)\[\] = \{(.*?)\};", source, re.DOTALL))))
        named = {name for cell in row.split("|")[2:] for name in re.findall(r"`([a-z]\w+)`", cell)}
        assert named == set(re.findall(r"SCMP_SYS\((\w+)\)", source)) - ({"clone3"} if file != "worker" else set()), file
        assert whole - {"clone3"} <= named


def test_links():
    places = {document: {place_of(line) for line in read(document).splitlines() if line.startswith("#")} for document in DOCUMENTS}
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", read(document))):
            if link.startswith("http"):
                continue
            path, _, place = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
            assert os.path.exists(os.path.join(ROOT, target)), f"{document}: {link}"
            assert not place or target not in places or place in places[target], f"{document}: {link}"
