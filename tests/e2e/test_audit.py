"""The audit log: who has changed what, and that nobody has changed what it says."""
import os
import sqlite3

from mail import BOB


def change(gateway, *statements):
    """What somebody who may write to the database can do while the gateway is stopped."""
    gateway.stop()
    with sqlite3.connect(os.path.join(gateway.state, "postern.db")) as database:
        database.execute("DROP TRIGGER audit_kept")
        database.execute("DROP TRIGGER audit_whole")
        for statement in statements:
            database.execute(statement)
    database.close()
    gateway.start()


def test_who_let_whom_in_can_be_told_and_not_be_changed(gateway, bob_to_alice):
    gateway.ctl("mapping", "suspend", "1", "--reason", "asked by Alice")
    gateway.ctl("mapping", "resume", "1")
    rows = gateway.ctl_json("audit", "list", "--object", "mapping 1")["audit"]
    assert [row["action"] for row in rows] == ["mapping.add", "mapping.suspend", "mapping.resume"]
    assert all(row["channel"] == "cli" and row["actor"] for row in rows)
    assert rows[1]["reason"] == "asked by Alice" and "suspended" in rows[1]["after"] and BOB in rows[1]["after"]
    assert "asked by Alice" in gateway.ctl("audit", "list", "--since", "1h")
    assert gateway.ctl_json("audit", "list", "--since", "2099-01-01")["audit"] == []
    newest = gateway.ctl_json("audit", "list", "--limit", "1")["audit"]
    assert newest == gateway.ctl_json("audit", "list")["audit"][-1:]

    backwards, before = [], []
    while True:   # page by page, the newest first
        page = gateway.ctl_json("audit", "list", "--order", "newest", "--limit", "2", *before)
        backwards += page["audit"]
        if not page["more"]:
            break
        before = ["--before", str(page["more_before"])]
    assert backwards == gateway.ctl_json("audit", "list")["audit"][::-1] and len(backwards) > 4
    assert gateway.ctl_json("audit", "list", "--object", "mapping 1", "--order", "newest")["audit"] == rows[::-1]
    assert gateway.ctl_json("audit", "list", "--order", "newest", "--since", "2099-01-01")["audit"] == []
    gateway.ctl("audit", "list", "--order", "oldest", "--before", "3", expect=2)

    kept = gateway.ctl_json("audit", "head")["head"]
    assert kept == f"{newest[0]['id']}:{newest[0]['hash']}"
    gateway.ctl("mapping", "revoke", "1")
    verified = gateway.ctl_json("audit", "verify", "--head", kept)
    assert verified["intact"] and verified["rows"] > newest[0]["id"]
    gateway.ctl("audit", "verify", "--head", "1:abc", expect=2)

    # The newest rows taken away (and one is added by the start): only who has kept the head can tell.
    change(gateway, f"DELETE FROM audit WHERE id >= {newest[0]['id'] - 1}")
    gateway.ctl("audit", "verify")
    assert "is gone" in gateway.ctl("audit", "verify", "--head", kept, expect=1)


def test_a_changed_row_is_found(gateway, bob_to_alice):
    gateway.ctl("mapping", "suspend", "1", "--reason", "asked by Alice")
    row = gateway.ctl_json("audit", "list", "--object", "mapping 1")["audit"][1]["id"]
    change(gateway, f"UPDATE audit SET reason = 'nobody asked' WHERE id = {row}")
    assert f"row {row} of the audit log" in gateway.ctl("audit", "verify", expect=1)


def test_everything_that_an_administrator_changes_is_a_row(gateway, bob_to_alice):
    gateway.ctl("member", "add", "Carol Member", "--address", "carol")
    gateway.ctl("member", "reports", "Carol Member", "on")
    gateway.ctl("member", "remove", "Carol Member")
    gateway.ctl("member", "remove", "Carol Member", expect=1)   # nothing was changed
    gateway.ctl("queue", "retry", "all")
    gateway.ctl("reload")
    gateway.ctl("silo", "moved", "=127.0.0.1:1", expect=1)
    rows = gateway.ctl_json("audit", "list", "--object", "member Carol Member")["audit"]
    assert [(row["action"], row["before"], row["after"]) for row in rows] == \
        [("member.add", None, "carol"), ("member.reports", "off", "on"), ("member.remove", "a member", None)]
    assert all(row["channel"] == "cli" and row["actor"] for row in rows)
    rows = gateway.ctl_json("audit", "list", "--object", "member Alice Member")["audit"]   # her answer is her consent, once
    uid = gateway.ctl_json("member", "show", "Alice Member")["uid"]
    assert [(row["action"], row["channel"], row["after"]) for row in rows[1:]] == [("member.answer", "silo", uid)]
    rows = gateway.ctl_json("audit", "list")["audit"]
    assert [(row["action"], row["object"]) for row in rows[-2:]] == [("queue.retry", "all"), ("gateway.reload", "gateway")]
    gateway.ctl("stop")
    assert gateway.process.wait(20) == 0
    gateway.process = None
    gateway.start()
    rows = gateway.ctl_json("audit", "list")["audit"][-2:]
    assert [(row["action"], row["channel"]) for row in rows] == [("gateway.stop", "cli"), ("gateway.start", "gateway")]
    assert "version " in rows[1]["after"] and "policy.proof = dmarc; " in rows[1]["after"]
    # a reload says what it changes of who may pass; what the daemon does when a signal says so is a row, too
    gateway.policy_extra = 'unknown_senders = hold'
    gateway.write_config()
    gateway.ctl("reload")
    row = gateway.ctl_json("audit", "list", "--limit", "1")["audit"][0]
    assert (row["action"], row["before"], row["after"]) == ("gateway.reload", "policy.unknown_senders = reject", "policy.unknown_senders = hold")
    head = gateway.ctl_json("audit", "head")["head"]
    gateway.stop()
    heads = [line.split("head=")[1] for line in gateway.read_log().splitlines() if "event=audit.head" in line]
    gateway.start()
    rows = gateway.ctl_json("audit", "list")["audit"]
    assert [(row["action"], row["channel"]) for row in rows[-2:]] == [("gateway.stop", "gateway"), ("gateway.start", "gateway")]
    assert heads[-1] == f"{rows[-2]['id']}:{rows[-2]['hash']}"   # which is behind all that was done
    gateway.ctl("audit", "verify", "--head", heads[-1])
    gateway.ctl("audit", "verify", "--head", head)


def test_each_row_is_listed_once_however_many_are_older(gateway, bob_to_alice):
    """More than are read at a time, behind more that are not asked for."""
    columns = "at, actor, channel, action, object, before, after, reason, hash"
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) " \
           "INSERT INTO audit (" + columns + ") SELECT {at}, '{actor}', 'cli', 'test', '', '', '', '', hex(zeroblob(32)) FROM n"
    change(gateway, many.format(count=1500, at=1, actor="old"), many.format(count=1200, at=4000000000000, actor="new"))
    rows = gateway.ctl_json("audit", "list", "--since", "2090-01-01", "--limit", "5000")
    assert len({row["id"] for row in rows["audit"]}) == len(rows["audit"]) == 1200 and not rows["more"]
    assert len(gateway.ctl_json("audit", "list", "--actor", "old", "--limit", "5000")["audit"]) == 1500
