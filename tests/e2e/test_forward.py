"""Threads that grow: forwarded to outside people, to members, by those who may and by those who may not."""
import contextlib
import json
import os
import sqlite3
import time

import pytest

from mail import BOB, make_mail, plain_text, send
from postern import DOMAIN, Member
from postfix import read_maildir
from procs import wait_until
from wire import Wire, as_member

DAVE = "dave@example.net"


@pytest.fixture
def carol(silo, folder):
    return Member(folder, silo, "Carol Colleague")


def kept_lines(member, *arguments):
    """What the member's client prints, which is what it keeps of its threads."""
    return member.tmtp(*arguments, "--account", member.account, "--json").splitlines()


class Thread:
    """A thread that Alice starts with Carol, who answers; the gateway knows nothing of it."""

    def __init__(self, folder, alice, carol, subject="Budget"):
        self.alice, self.carol, self.folder = alice, carol, folder
        self.report = os.path.join(folder, "report.txt")
        with open(self.report, "w", encoding="utf-8") as file:
            file.write("figures\n")
        carol.ping(alice.alias, "hello")
        self.lines = kept_lines(alice, "receive")
        self.lines += kept_lines(alice, "post", "--to", carol.alias, "--subject", subject, "--attach", self.report,
                                 "What do you *think*?\n")
        self.id = json.loads(self.lines[-1])["threadid"]
        carol.receive_mail(subject)
        carol.post([], "Looks <b>good</b>\n", thread=self.id)
        self.lines += kept_lines(alice, "receive", "--wait", "5", "--count", "1")

    def command(self, verb, to, *more):
        messages = os.path.join(self.folder, "thread.jsonl")
        with open(messages, "w", encoding="utf-8") as file:
            file.write("\n".join(self.lines) + "\n")
        return ["--thread", self.id, "--to", to, "--messages", messages, *more]

    def forward(self, to, *more):
        return self.run("forward", to, *more)

    def run(self, verb, to, *more):
        printed = kept_lines(self.alice, verb, *self.command(verb, to, *more))
        return json.loads(printed[0])["id"] if printed else None


@pytest.fixture
def door(gateway, alice):
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    return gateway


def left(gateway, count):
    """That many mails have left, in the order of leaving; no more are on their way."""
    wait_until(f"{count} mails leave", lambda: len(read_maildir(gateway.maildir)) >= count)
    gateway.wait_settled()
    mails = sorted(read_maildir(gateway.maildir), key=lambda mail: mail["Message-ID"])
    assert len(mails) == count
    return mails


def decision(gateway, msgid):
    lines = gateway.read_log().splitlines()
    return next((line for line in lines if "event=message.decided" in line and f"msgid={msgid}" in line), "")


def test_thread_is_one_mail_and_goes_on(door, folder, alice, carol):
    thread = Thread(folder, alice, carol)
    thread.forward(BOB)
    first = left(door, 1)[0]
    assert (first["Subject"], first["From"].addresses[0].addr_spec, first["To"]) == ("Fwd: Budget", f"alice@{DOMAIN}", BOB)
    assert first["References"] is None and first["In-Reply-To"] is None
    text = plain_text(first)
    order = [text.index(part) for part in ("Alice Member wrote on 20", "> What do you _think_?", "report.txt",
                                           "Carol Colleague wrote on 20", "> Looks <b>good</b>")]
    assert order == sorted(order), text
    assert not list(first.iter_attachments())

    # the file follows when Alice's client confirms her message, once
    thread.run("confirm", BOB)
    files = left(door, 2)[1]
    attached = {part.get_filename(): part.get_content() for part in files.iter_attachments()}
    assert attached in ({"report.txt": "figures\n"}, {"report.txt": b"figures\n"})
    assert (files["Subject"], files["In-Reply-To"]) == ("Re: Budget", first["Message-ID"])
    assert (first["Auto-Submitted"], files["Auto-Submitted"]) == (None, "auto-generated"), "nobody wrote the latter"
    assert "Alice Member wrote on 20" in plain_text(files) and "What do you" not in plain_text(files)
    again = thread.run("confirm", BOB)
    wait_until("the second is decided", lambda: "outcome=confirmation" in door.read_log())
    assert again and len(read_maildir(door.maildir)) == 2

    # what Alice writes now follows as a reply, and Bob's answer comes back into the thread
    alice.post([], "Bob, your turn", thread=thread.id)
    reply = left(door, 3)[2]
    assert reply["Subject"] == "Re: Budget" and first["Message-ID"] in reply["References"]
    answer = make_mail("Re: Budget", "My turn\n", references=[first["Message-ID"], reply["Message-ID"]])
    send(door.smtp_port, answer)
    back = alice.receive_where("Bob's answer", lambda item: item["op"] == "delivery" and "My turn" in item["body"])
    assert back["threadid"] == thread.id


def test_forward_without_a_mapping_is_refused(door, folder, alice, carol):
    """Bob's alias is known to Carol too, but she may not write to him; nor may Alice to Dave."""
    door.ctl("mapping", "add", DAVE, alice.alias)
    alice.receive_where("Dave's ping", lambda item: item["op"] == "ping" and item["alias"] == DAVE)
    mappings = json.loads(door.ctl("--json", "mapping", "list", "--member", alice.alias))["mappings"]
    door.ctl("mapping", "revoke", str(next(mapping["id"] for mapping in mappings if mapping["address"] == BOB)))
    thread = Thread(folder, alice, carol)
    msgid = thread.forward(BOB)
    told = alice.receive_where("the refusal", lambda item: item["op"] == "delivery" and "not sent" in item["body"])
    assert told["threadid"] == thread.id and f"{BOB}: you are not authorised" in told["body"]
    assert "refused" in door.ctl("why", msgid)

    # of two, the one who may be written to gets it
    other = Thread(folder, alice, carol, "Other")
    other.forward(DAVE, "--to", BOB)
    mail = left(door, 1)[0]
    assert (mail["To"], mail["Subject"]) == (DAVE, "Fwd: Other")
    told = alice.receive_where("the other refusal", lambda item: item["op"] == "delivery" and "not sent" in item["body"])
    assert told["threadid"] == other.id and BOB in told["body"] and DAVE not in told["body"]


def test_forward_to_nobody_outside_says_so(door, folder, alice, carol):
    thread = Thread(folder, alice, carol)
    thread.forward(door.alias)
    told = alice.receive_where("the notice", lambda item: item["op"] == "delivery" and "not sent" in item["body"])
    assert "alias of an email correspondent" in told["body"]
    door.wait_settled()


def test_member_who_is_added_is_in_the_thread(door, folder, alice, carol, silo):
    door.introduce(carol, "carol")
    door.open_door(BOB, carol)
    first = make_mail("Plans", "Hello\n")
    send(door.smtp_port, first)
    lines = kept_lines(alice, "receive", "--wait", "10", "--count", "1")
    thread = json.loads(lines[0])["threadid"]
    with as_member(silo, carol) as wire:   # her own client does not know the thread
        early = wire.post([door.ctl_json("status")["silo_uid"]], {"alias": carol.alias, "threadid": thread}, "May I?")
    wait_until("not yet", lambda: "outcome=refused" in decision(door, early["msgid"]))

    messages = os.path.join(folder, "plans.jsonl")
    with open(messages, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    alice.ping(carol.alias, "hello")
    carol.ping(alice.alias, "hello")
    kept_lines(alice, "receive")
    alice.tmtp("forward", "--account", alice.account, "--thread", thread, "--to", carol.alias, "--messages", messages)
    carol.receive_where("the thread", lambda item: item["op"] == "delivery" and "notify" in item)
    wait_until("the gateway knows", lambda: "outcome=participants" in door.read_log())
    carol.post([BOB], "Now I may", thread=thread)
    reply = left(door, 1)[0]
    assert reply["From"].addresses[0].addr_spec == f"carol@{DOMAIN}" and first["Message-ID"] in reply["References"]
    assert f"alice@{DOMAIN}" in reply["Cc"], "an answer to all reaches everybody"
    answer = make_mail("Re: Plans", "To both\n", references=[first["Message-ID"], reply["Message-ID"]])
    send(door.smtp_port, answer, recipients=[f"alice@{DOMAIN}", f"carol@{DOMAIN}"])
    for member in (alice, carol):
        got = member.receive_where("the answer", lambda item: item["op"] == "delivery" and "To both" in item["body"])
        assert got["threadid"] == thread


def test_cc_names_only_whom_the_recipient_may_answer(door, folder, alice, carol):
    """Carol is a member and in the thread, but Bob may not write to her: his "reply to all" must not be refused for it."""
    door.introduce(carol, "carol")
    carol.ping(alice.alias, "hello")
    alice.receive(wait=1)
    alice.post([BOB, carol.alias], "To you both", subject="Plans")
    mail = left(door, 1)[0]
    assert mail["Cc"] is None
    door.ctl("mapping", "add", BOB, carol.alias)
    alice.post([BOB, carol.alias], "Now he may", subject="Again")
    assert f"carol@{DOMAIN}" in next(one for one in left(door, 2) if one["Subject"] == "Again")["Cc"]


def test_forward_of_whom_nobody_hears_is_given_up(door, folder, alice, carol, silo):
    """The list of who is new can't be read: Alice is told, and nothing is left behind."""
    thread = Thread(folder, alice, carol)
    thread.forward(BOB)
    left(door, 1)
    gateway_uid = door.ctl_json("status")["silo_uid"]
    with as_member(silo, alice) as wire:
        head = json.dumps({"threadid": thread.id})
        message = json.dumps({"Id": thread.id, "Size": 2, "Posted": "2026-11-23T01:00:01.000Z", "From": wire.uid, "SubHead": {}})
        copy = f"{len(message):04x}{message}\nhi\n[][]" + "%08x%08x" % (2, 2)
        ack = wire.request({"op": 8, "datahead": len(head), "notelen": 4, "fornotself": True,
                            "for": [{"id": gateway_uid, "type": 1}]}, ("{no}" + head + copy).encode())
    told = alice.receive_where("the reason", lambda item: item["op"] == "delivery" and "could not be read" in item["body"])
    assert told["threadid"] == thread.id
    assert "refused" in door.ctl("why", ack["msgid"])
    left(door, 1)


def test_forward_whose_notice_never_comes(door, alice):
    """The silo has sent the thread, and was lost for good before it sent the notice. One has waited for an hour and more."""
    uid = door.ctl_json("member", "show", alice.alias)["uid"]
    door.stop()
    now = int(time.time() * 1000)
    with contextlib.closing(sqlite3.connect(os.path.join(door.state, "postern.db"))) as connection, connection:
        connection.execute("INSERT INTO thread (id, threadid, subject, created_at) VALUES (77, 'aa', 'Plans', 0)")
        for msgid, received in (("f1", now), ("f2", now - 2 * 3600 * 1000)):
            connection.execute(
                "INSERT INTO outbound (kind, state, tmtp_msgid, thread_id, member_id, author_uid, author_alias, message_id, head,"
                " size, posted_at, received_at, next_attempt_at) VALUES ('forward', 'waiting', ?, 77, 1, ?, ?, ?, '{}', 0, 0, ?, 0)",
                (msgid, uid, alice.alias, msgid, received))
    door.start()
    told = alice.receive_where("the reason", lambda item: item["op"] == "delivery" and "never said who is new" in item["body"])
    assert told["threadid"] == "aa"
    assert [row["state"] for row in door.queue("out")] == ["waiting"], "the other one waits on"
    assert "never said" in door.ctl("why", "f2") and "never said" not in door.ctl("why", "f1")


def test_nobody_else_can_make_a_thread_grow(door, folder, alice, carol, silo):
    """Mallory, who is a member with a mapping of her own, names a thread of Alice's: by a forward, by its notice."""
    thread = Thread(folder, alice, carol)
    thread.forward(BOB)
    left(door, 1)
    door.introduce(carol, "carol")
    door.ctl("mapping", "add", DAVE, carol.alias)
    gateway_uid = door.ctl_json("status")["silo_uid"]
    other = json.dumps({"threadid": thread.id, "cc": [{"who": DAVE, "whouid": gateway_uid}]})
    with Wire(silo.port) as stranger:
        stranger.register("Mallory Member")
        head = json.dumps({"threadid": thread.id})
        ack = stranger.request({"op": 8, "datahead": len(head), "notelen": len(other), "fornotself": True,
                                "for": [{"id": gateway_uid, "type": 1}]}, (other + head + "nonsense").encode())
        assert "error" not in ack, ack
        wait_until("it is refused", lambda: "outcome=not_a_member" in decision(door, ack["msgid"]))
        wait_until("its notice changes nothing", lambda: "outcome=not_in_thread" in door.read_log())
    with as_member(silo, carol) as malformed:
        head = json.dumps({"threadid": "0123456789abcdef"})
        ack = malformed.request({"op": 8, "datahead": len(head), "notelen": len(other), "for": [{"id": gateway_uid, "type": 1}],
                                 "fornotself": True}, (other + head + "nonsense").encode())
        wait_until("it is decided", lambda: decision(door, ack["msgid"]))
    carol.receive_where("the reason", lambda item: item["op"] == "delivery" and "could not be read" in item["body"])
    alice.post([], "Only for Bob", thread=thread.id)
    assert left(door, 2)[1]["To"] == BOB
