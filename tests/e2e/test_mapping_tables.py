"""posternctl mapping export and import: many mappings at once, as tables of a spreadsheet or as JSON."""
import csv
import io
import json
import os

import pytest

from postern import Gateway, Member, Silo, close_quietly
from procs import RELEASE, run

NEVER = ("id", "created", "decided", "created_by", "decided_by", "invited")   # what is another's after an import


@pytest.fixture
def desk(gateway):
    """A gateway with two members nobody has talked to yet; and a way to import a text."""
    gateway.wait_online()
    for alias in ("Alice Member", "Zoe Member"):
        gateway.ctl("member", "add", alias)
    gateway.import_text = lambda text, *options, name="table.csv", expect=0: import_text(gateway, text, options, name, expect)
    return gateway


def import_text(gateway, text, options, name, expect):
    path = os.path.join(gateway.state, "..", name)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return json.loads(gateway.ctl("--json", "mapping", "import", path, *options) if expect == 0
                      else gateway.ctl("--json", "mapping", "import", path, *options, expect=expect).partition("\n")[0])


def table(gateway, *options):
    """The export as a list of rows."""
    return list(csv.DictReader(io.StringIO(gateway.ctl("mapping", "export", *options), newline="")))


def states(gateway):
    return {row["address"]: row["state"] for row in table(gateway)}


def what_counts(rows):
    return [{key: value for key, value in row.items() if key not in NEVER} for row in rows]


def test_what_was_exported_is_imported_elsewhere(desk, folder, silo):
    """With everything that an administrator has set, in both forms."""
    note = '=HYPERLINK("http://evil.example"), said "Bob";\nsecond line, \u00e9'
    desk.ctl("mapping", "add", "bob@example.com", "Alice Member", "--daily", "20", "--max-size", "512K", "--attachments", ".pdf,image/*",
             "--proof", "dkim", "--subaddresses", "yes", "--expires", "2099-01-31", "--direction", "in", "--note", note, "--reason", "-1 +2")
    desk.ctl("mapping", "add", "*@partner.example", "all", "--note", "'=x")
    desk.ctl("mapping", "add", "carol@example.net", "Zoe Member", "--invite", "yes")
    desk.ctl("mapping", "suspend", "3", "--reason", "on holiday")
    desk.ctl("mapping", "block", "eve@example.net", "Zoe Member")
    desk.ctl("mapping", "add", "dan@example.net", "Zoe Member")
    desk.ctl("mapping", "revoke", "5")
    first = desk.ctl("mapping", "export")
    assert first.startswith("address,member,state,") and "'=HYPERLINK" in first and ",'-1 +2," in first and "''=x" in first
    rows = table(desk)
    assert [row["state"] for row in rows] == ["approved", "approved", "suspended", "denied", "revoked"]
    exported = json.loads(desk.ctl("mapping", "export", "--format", "json"))["mappings"]
    assert exported[0]["note"] == note and exported[0]["max_size"] == "524288"
    assert [row["address"] for row in table(desk, "--state", "suspended")] == ["carol@example.net"]
    assert len(table(desk, "--member", "Zoe Member")) == 3

    again = desk.import_text(first)
    assert again["none"] == 5 and again["done"] and table(desk) == rows
    assert desk.import_text(json.dumps(exported), name="table.json")["none"] == 5

    other = Gateway(os.path.join(folder, "other"), silo.port)
    os.makedirs(other.state, exist_ok=True)
    other.alias = "Other Gateway"
    try:
        other.start()
        other.wait_online()
        for alias in ("Alice Member", "Zoe Member"):
            other.ctl("member", "add", alias)
        assert import_text(other, first, ("--reason", "moved"), "table.csv", 0)["done"]
        wanted = what_counts(rows)
        wanted[4]["state"] = "denied"   # what was never there can't be revoked; it is shut
        assert [{**row, "reason": ""} for row in what_counts(table(other))] == [{**row, "reason": ""} for row in wanted]
        assert what_counts(table(other))[2]["reason"] == "on holiday" and what_counts(table(other))[1]["reason"] == "moved"
        assert import_text(other, json.dumps({"mappings": exported}), (), "table.json", 0)["none"] == 5
    finally:
        close_quietly(other)


def test_a_table_does_not_steer_the_terminal(desk):
    """It may have come from anywhere."""
    path = os.path.join(desk.state, "..", "evil.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("address,member\r\nbob@example.com,\x1b]0;evil\x07Zoe\r\n")
    assert "\x1b" not in (said := desk.ctl("mapping", "import", path, expect=1)) and "?]0;evil?Zoe" in said
    with open(path, "w", encoding="utf-8") as file:
        file.write("address,member,\x1b[2J\r\n")
    assert "\x1b" not in (said := desk.ctl("mapping", "import", path, expect=1)) and '"?[2J" is no column' in said


def test_a_table_with_mistakes_changes_nothing_and_names_each(desk):
    text = ("address,member,state,daily,note\r\n"
            "bob@example.com,Alice Member,,20,fine\r\n"
            "not an address,Zoe Member,,,\r\n"
            "carol@example.com,Nobody,,,\r\n"
            "dan@example.com,Zoe Member,open,,\r\n"
            "dan@example.com,Zoe Member,,many,\r\n"
            '"quoted"wrong,Zoe Member,,,\r\n'
            "a@example.com,Zoe Member\r\n"
            "BOB@EXAMPLE.com,Alice Member,,,\r\n"
            "*@com,Zoe Member,,,\r\n"
            ",Zoe Member,,,\r\n"
            "x@example.com,Zoe Member,,,\"two\r\nlines\"\r\n"
            "y@example.com,Zoe Member,,-1,\r\n")
    for options in ((), ("--dry-run", "yes")):
        answer = desk.import_text(text, *options, expect=1)
        assert [problem["line"] for problem in answer["problems"]] == [7, 8, 3, 4, 5, 6, 9, 10, 11, 14] or \
            sorted(problem["line"] for problem in answer["problems"]) == [3, 4, 5, 6, 7, 8, 10, 11, 14], answer
        assert not answer["done"] and table(desk) == []
    shown = desk.ctl("mapping", "import", os.path.join(desk.state, "..", "table.csv"), expect=1)
    assert "table.csv:4: there is no member or group \"Nobody\"" in shown and "nothing was changed" in shown
    for wrong in ("", "member,state\n", "address,member,adress\n", "address,member,member\n", "address\nbob@example.com\n"):
        result = desk.ctl("mapping", "import", "/dev/stdin" if False else write(desk, wrong), expect=1)
        assert "column" in result or "nothing in it" in result
    for wrong in ("{", "[1]", '{"a": []}', '[{"address": "a@example.com", "member": "Zoe Member", "x": 1}]'):
        desk.ctl("mapping", "import", write(desk, wrong), "--format", "json", expect=1)
    desk.ctl("mapping", "import", os.path.join(desk.state, "none.csv"), expect=1)
    assert table(desk) == []


def write(gateway, text):
    path = os.path.join(gateway.state, "..", "wrong.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def test_a_dry_run_says_what_an_import_then_does(desk):
    text = "\ufeffaddress;member;daily\nbob@example.com;Alice Member;20\ncarol@example.com;all;none\n"
    tried = desk.import_text(text, "--dry-run", "yes")
    assert tried["add"] == 2 and not tried["done"] and table(desk) == []
    done = desk.import_text(text)
    assert done["add"] == 2 and done["done"] and states(desk) == {"bob@example.com": "approved", "carol@example.com": "approved"}
    changed = desk.import_text("address,member,daily\nbob@example.com,Alice Member,30\ncarol@example.com,all,\n")
    assert changed["change"] == 1 and changed["none"] == 1
    assert [row["daily"] for row in table(desk)] == ["30", "none"]
    audit = desk.ctl_json("audit", "list")["audit"]
    assert [row["action"] for row in audit if row["object"] == "mapping 1"] == ["mapping.add", "mapping.change"]
    assert {row["reason"] for row in audit if row["object"] == "mapping 1"} == {"imported"}


def test_what_is_shut_is_opened_only_when_that_is_said(desk):
    rows = [("suspended@example.com", "suspend"), ("revoked@example.com", "revoke")]
    for number, (address, act) in enumerate(rows, 1):
        desk.ctl("mapping", "add", address, "Zoe Member")
        desk.ctl("mapping", act, str(number))
    desk.ctl("mapping", "block", "blocked@example.com", "Zoe Member")
    before = states(desk)
    everybody = "address,member\n" + "".join(f"{address},Zoe Member\n" for address in before)
    answer = desk.import_text(everybody, expect=1)
    assert [problem["line"] for problem in answer["problems"]] == [2, 3, 4] and "--reopen" in answer["problems"][0]["problem"]
    assert states(desk) == before
    answer = desk.import_text(everybody, "--reopen", "yes")
    assert answer["resume"] == 1 and answer["add"] == 2
    assert set(states(desk).values()) == {"approved"} and len(table(desk)) == 3
    shut = "address,member,state\nsuspended@example.com,Zoe Member,suspended\nrevoked@example.com,Zoe Member,revoked\nblocked@example.com,Zoe Member,denied\nnew@example.com,Zoe Member,denied\n"
    answer = desk.import_text(shut)
    assert answer["suspend"] == 1 and answer["block"] == 3
    assert states(desk) == {"suspended@example.com": "suspended", "revoked@example.com": "revoked", "blocked@example.com": "revoked",
                            "new@example.com": "denied"}
    assert desk.import_text(shut)["none"] == 4
    over = desk.import_text("address,member,expires\nlong@example.com,Zoe Member,2020-01-01\n")
    assert over["none"] == 1 and "long@example.com" not in states(desk)


def test_thousands_of_lines_go_in_pieces(folder):
    """All are looked at first: a mistake in the last one, or a second line about the same in another piece, keeps all from being done."""
    silo = Silo(folder, RELEASE)
    gateway = Gateway(folder, silo.port, RELEASE)
    try:
        silo.start()
        gateway.start()
        gateway.wait_online()
        gateway.ctl("member", "add", "Zoe Member")
        lines = ["address,member"] + [f"user{number}@example.com,Zoe Member" for number in range(2500)]
        path = os.path.join(folder, "many.csv")
        for wrong, problem in (("user7@example.com,Zoe Member", "2502: it is about the same as line 9"), ("nonsense,Zoe Member", "2502: \"nonsense\"")):
            with open(path, "w", encoding="ascii") as file:
                file.write("\n".join(lines + [wrong]))
            assert problem in gateway.ctl("mapping", "import", path, expect=1)
        assert table(gateway) == []
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines))
        assert json.loads(gateway.ctl("--json", "mapping", "import", path))["add"] == 2500
        assert len(table(gateway)) == 2500
        assert json.loads(gateway.ctl("--json", "mapping", "import", path))["none"] == 2500
        assert gateway.ctl_json("audit", "verify")["rows"] >= 2500
        result = run(["bash", "-c", f"{RELEASE}/posternctl -c {gateway.config} mapping export | {RELEASE}/posternctl -c {gateway.config} mapping import - --json"],
                     folder)
        assert json.loads(result.stdout)["none"] == 2500, result.stderr
    finally:
        close_quietly(gateway)
        close_quietly(silo)
