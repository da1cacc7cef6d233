"""Members who have left the silo, and aliases that have changed hands: nobody is let in to somebody who is not known any more."""
import contextlib
import os
import sqlite3

import pytest

from mail import BOB, make_mail, send
from postern import Member
from procs import wait_until

ADA = "Ada Admin"


@pytest.fixture
def house(stopped_gateway, alice, folder, silo):
    """Bob may write to Alice; Ada is an admin and no member."""
    gateway = stopped_gateway
    gateway.policy_extra = f'admins = {{ "{ADA}" }}'
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    ada = Member(folder, silo, ADA)
    ada.ping(gateway.alias, "Here I am")
    return gateway, alice, ada


@contextlib.contextmanager
def changed(silo):
    """The silo's database, while it is stopped."""
    silo.stop()
    with contextlib.closing(sqlite3.connect(os.path.join(silo.folder, "silo", "silo.db"))) as db, db:
        yield db
    silo.start()


def mapping(gateway):
    return gateway.ctl_json("mapping", "show", "1")


def test_a_member_s_account_is_gone_and_comes_back(house, silo):
    """Mail that was taken waits, admins are told, nobody else gets it; an admin's word and the member's answer let it in."""
    gateway, alice, ada = house
    uid = gateway.ctl_json("member", "show", "Alice Member")["uid"]
    with changed(silo) as db:
        kept = {table: db.execute(f"SELECT * FROM {table} WHERE uid = ?", (uid,)).fetchall() for table in ("account", "node", "alias")}
        db.execute("DELETE FROM queue WHERE node IN (SELECT id FROM node WHERE uid = ?)", (uid,))
        for table in ("alias", "node", "account"):
            db.execute(f"DELETE FROM {table} WHERE uid = ?", (uid,))
    gateway.connect_silo()
    gateway.wait_online()
    send(gateway.smtp_port, make_mail("To somebody who has left"))
    wait_until("it is suspended", lambda: mapping(gateway)["state"] == "suspended")
    assert (mapping(gateway)["decided_by"], mapping(gateway)["reason"]) == ("gateway", "the silo does not know the member's account any more")
    ada.ping(gateway.alias, "Hello")   # else the admins are told within ten seconds
    told = ada.receive_where("a notice", lambda item: item["op"] == "delivery")
    assert "the silo does not know the member's account any more" in told["body"] and BOB in told["body"]
    with pytest.raises(Exception, match="4[0-9][0-9]|5[0-9][0-9]"):
        send(gateway.smtp_port, make_mail("Another"))
    waiting = gateway.queue("in")
    assert [entry["id"] for entry in waiting if entry["kind"] == "mail"] and gateway.ctl_json("member", "show", "Alice Member")["uid"] is None
    ada.ping(gateway.alias, "resume 1")
    wait_until("it is resumed", lambda: mapping(gateway)["state"] == "approved")

    with changed(silo) as db:
        for table in ("account", "node", "alias"):
            for row in kept[table]:
                db.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
    gateway.connect_silo()
    gateway.wait_online()
    alice.ping(gateway.alias, "I am back")
    gateway.ctl("queue", "retry", "all")
    alice.receive_mail("To somebody who has left")


def test_an_alias_that_changes_hands(house, silo, folder):
    """Whoever has it now is not Alice: her mappings are suspended by the first word of theirs. Added anew, they are a member."""
    gateway, _, ada = house
    mallory = Member(folder, silo, "Mallory Next")
    with changed(silo) as db:
        db.execute("UPDATE alias SET uid = (SELECT uid FROM alias WHERE name = 'Mallory Next') WHERE name = 'Alice Member'")
    gateway.connect_silo()
    gateway.wait_online()
    with open(mallory.account, encoding="utf-8") as file:
        text = file.read()
    with open(mallory.account, "w", encoding="utf-8") as file:
        file.write(text.replace("Mallory Next", "Alice Member"))
    mallory.ping(gateway.alias, "Hello")
    wait_until("it is suspended", lambda: mapping(gateway)["state"] == "suspended")
    assert mapping(gateway)["reason"] == "the silo gives the member's alias to another account now"
    ada.ping(gateway.alias, "Hello")
    assert BOB in ada.receive_where("a notice", lambda item: item["op"] == "delivery")["body"]
    gateway.ctl("member", "remove", "Alice Member")
    gateway.ctl("member", "add", "Alice Member")
    mallory.ping(gateway.alias, "Hello again")
    wait_until("the gateway knows the member", lambda: gateway.ctl_json("member", "show", "Alice Member")["uid"])
    assert mapping(gateway)["state"] == "revoked"


def test_no_alias_to_be_told_under_and_none_left_to_be_given(house, silo):
    """A ping to an alias that is gone loses the member; a correspondent whose every alias is taken is suspended."""
    gateway, _, _ = house
    names = ["carol@example.net", "carol@example.net (email)", *(f"carol@example.net ({number})" for number in range(2, 40))]
    with changed(silo) as db:
        db.execute("INSERT INTO account VALUES ('somebody else')")
        db.executemany("INSERT INTO alias VALUES (?, 'somebody else')", [(name,) for name in names])
        db.execute("UPDATE alias SET name = 'Somebody New' WHERE name = 'Alice Member'")
    gateway.connect_silo()
    gateway.wait_online()
    gateway.ctl("mapping", "add", "carol@example.net", "Alice Member")
    wait_until("it is suspended", lambda: gateway.ctl_json("mapping", "show", "2")["reason"] == "every form of the correspondent's alias is taken in the silo")
    assert mapping(gateway)["state"] == "approved"
    gateway.ctl("mapping", "add", "dave@example.net", "Alice Member")
    wait_until("they are suspended", lambda: mapping(gateway)["reason"] == "the silo does not know the member's alias any more")
    assert gateway.ctl_json("mapping", "show", "3")["state"] == "suspended"
