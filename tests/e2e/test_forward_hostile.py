"""Threads that grow, in the hands of somebody who means harm, or at an unlucky moment. All of it by bare frames."""
import contextlib
import json
import os
import sqlite3
import time

import pytest

from mail import BOB, make_mail, plain_text, send
from postern import DOMAIN, GATEWAY_ALIAS, Member
from postfix import read_maildir
from procs import wait_until
from wire import Wire, as_member, copy_of, said

DAVE = "dave@example.net"
GID = "Sales Team"
SALES = f"sales.team@{DOMAIN}"
OLD = "0000000000000001"   # the id of a thread that no gateway has seen


@pytest.fixture
def mallory(silo, folder):
    return Member(folder, silo, "Mallory Member")


@pytest.fixture
def door(gateway, alice, mallory):
    """Alice may write to Bob and he to her, Mallory likewise to Dave."""
    for member, address, correspondent in ((alice, "alice", BOB), (mallory, "mallory", DAVE)):
        gateway.introduce(member, address)
        gateway.open_door(correspondent, member)
    return gateway


def gateway_uid(gateway):
    return gateway.ctl_json("status")["silo_uid"]


def forward(wire, gateway, threadid, messages, new, parties=(), uid=None):
    """Posts a thread's copy to the gateway; new: correspondents' aliases. Returns the silo's ack."""
    uid = uid or gateway_uid(gateway)
    note = json.dumps({"ThreadId": threadid, "Cc": [{"Who": who, "WhoUid": uid} for who in new]})
    head = json.dumps({"ThreadId": threadid})
    ack = wire.request({"op": 8, "datahead": len(head), "notelen": len(note), "fornotself": True,
                        "for": [{"id": uid, "type": 1}]}, (note + head + copy_of(messages, parties)).encode())
    assert "error" not in ack, ack
    return ack


def confirm(wire, gateway, threadid, msgid, name, data):
    """The author's client sends a message's file again."""
    head = {"ThreadId": threadid, "ConfirmId": msgid, "ConfirmPosted": "2026-11-23T01:00:01.000Z",
            "Attach": [{"Name": name, "Size": len(data)}]}
    ack = wire.post([gateway_uid(gateway)], head, data)
    assert "error" not in ack, ack
    wait_until("the confirmation is decided", lambda: decision(gateway, ack["msgid"]))
    return ack


def decision(gateway, msgid):
    lines = gateway.read_log().splitlines()
    return next((line for line in lines if "event=message.decided" in line and f"msgid={msgid}" in line), "")


def left(gateway, count):
    """That many mails have left; no more are on their way."""
    wait_until(f"{count} mails leave", lambda: len(read_maildir(gateway.maildir)) >= count)
    gateway.wait_settled()
    mails = sorted(read_maildir(gateway.maildir), key=lambda mail: mail["Message-ID"])
    assert len(mails) == count, [str(mail) for mail in mails]
    return mails


def told(member, text):
    return member.receive_where(f"notice {text!r}", lambda item: item["op"] == "delivery" and text in item["body"])


def test_claimed_ids_stop_nobodys_threads(door, alice, mallory, silo):
    """Silos number their messages one after the other: Mallory forwards threads under ids that are still to be given."""
    with as_member(silo, mallory) as wire:
        first = int(wire.ping(mallory.alias, alice.alias, "hello")["msgid"], 16)
        claimed = range(first + 140, first + 170)
        for number in claimed:
            threadid = f"{number:016x}"
            forward(wire, door, threadid, [said(threadid, wire.uid, "mine")], [BOB])
        last = ""
        while int(last or "0", 16) < claimed[0]:
            last = wire.ping(mallory.alias, alice.alias, "hello")["msgid"]
        wait_until("all of it is decided", lambda: not door.queue("out"))
    alice.post(BOB, "Not hers", subject="Mine")
    mail = left(door, 1)[0]
    assert (mail["From"].addresses[0].addr_spec, mail["Subject"]) == (f"alice@{DOMAIN}", "Mine")

    send(door.smtp_port, make_mail("His", "Hello\n"))
    his = alice.receive_mail("His")
    assert int(his["threadid"], 16) in claimed, "the test has missed the ids"
    alice.post(BOB, "An answer", thread=his["threadid"])
    assert "An answer" in plain_text(left(door, 2)[1])


def test_message_that_is_there_many_times_has_its_files_sent_once(door, mallory, silo):
    with as_member(silo, mallory) as wire:
        messages = [said(OLD, wire.uid, f"{number}", attach=[("u:a.txt", 5)]) for number in range(20)]
        forward(wire, door, OLD, messages, [DAVE])
        left(door, 1)
        confirm(wire, door, OLD, OLD, "u:a.txt", "files")
        left(door, 2)
        confirm(wire, door, OLD, OLD, "u:a.txt", "files")
        left(door, 2)


def test_one_confirmation_is_kept_a_few_times_at_most(door, mallory, silo):
    """A large file for hundreds of forwards would fill the disk in one commit. The others wait for another."""
    with as_member(silo, mallory) as wire:
        for number in range(20):
            forward(wire, door, OLD, [said(OLD, wire.uid, f"{number}", attach=[("u:a.txt", 5)])], [DAVE])
        left(door, 20)
        confirm(wire, door, OLD, OLD, "u:a.txt", "files")
        left(door, 36)
        confirm(wire, door, OLD, OLD, "u:a.txt", "files")
        left(door, 40)


def test_files_do_not_follow_a_forward_that_was_dropped(door, mallory, silo):
    """Held by an administrator, who then drops it: its files must not go out alone."""
    door.stop()
    door.relay = "smtp://127.0.0.1:1"
    door.start()
    with as_member(silo, mallory) as wire:
        ack = forward(wire, door, OLD, [said(OLD, wire.uid, "text", attach=[("u:a.txt", 5)])], [DAVE])
        entry = wait_until("it is addressed", lambda: [row for row in door.queue("out") if row["to"]])[0]
        door.ctl("queue", "hold", entry["id"])
        confirm(wire, door, OLD, OLD, "u:a.txt", "files")
        assert [row["state"] for row in door.queue("out")] == ["held", "held"], "what belongs together waits together"
        for row in door.queue("out"):
            door.ctl("queue", "drop", row["id"], "--reason", "no")

        ack = forward(wire, door, OLD, [said(OLD, wire.uid, "text", attach=[("u:a.txt", 5)])], [DAVE])
        entry = wait_until("it is addressed", lambda: [row for row in door.queue("out") if row["to"]])[0]
        door.ctl("queue", "drop", entry["id"], "--reason", "no")
        assert "dropped" in door.ctl("why", ack["msgid"])
        confirm(wire, door, OLD, OLD, "u:a.txt", "files")
        assert not door.queue("out")


def join_sales(gateway, alice, member):
    """Alice's group, in which the gateway is, and then this member; Dave may write to it."""
    alice.tmtp("group", "--account", alice.account, "invite", GID, GATEWAY_ALIAS)
    wait_until("the gateway has joined", lambda: '"joined"' in gateway.ctl("--json", "group", "list"))
    alice.tmtp("group", "--account", alice.account, "invite", GID, member.alias)
    member.receive_where("the invitation", lambda item: item["op"] == "invite")
    member.tmtp("group", "--account", member.account, "join", GID)
    wait_until("it is seen", lambda: state_in_group(gateway, member) == "joined")


def state_in_group(gateway, member):
    return {one["alias"]: one["state"] for one in gateway.ctl_json("group", "show", GID)["members_seen"]}.get(member.alias)


def mapping_id(gateway, name, address):
    mappings = gateway.ctl_json("mapping", "list", "--member", name)["mappings"]
    return str(next(mapping["id"] for mapping in mappings if mapping["address"] == address and mapping["state"] == "approved"))


def test_files_do_not_follow_once_their_forwarder_was_dropped_from_the_group(door, alice, mallory, silo):
    """What was forwarded in the group's name: she has weeks to send the files, and could send anything of that name and size."""
    door.ctl("mapping", "revoke", mapping_id(door, mallory.alias, DAVE))
    join_sales(door, alice, mallory)
    door.ctl("mapping", "add", DAVE, GID)
    with as_member(silo, mallory) as wire:
        group = [(GID, GID), (mallory.alias, wire.uid)]
        messages = [said(OLD, wire.uid, "text", attach=[("u:a.txt", 5)]), said(OLD, wire.uid, "text", msgid="m2", attach=[("u:b.txt", 5)])]
        forward(wire, door, OLD, messages, [DAVE], group)
        assert left(door, 1)[0]["From"].addresses[0].addr_spec == SALES
        confirm(wire, door, OLD, OLD, "u:a.txt", "files")
        assert left(door, 2)[1]["From"].addresses[0].addr_spec == SALES
    alice.tmtp("group", "--account", alice.account, "drop", GID, mallory.alias)
    wait_until("the gateway knows", lambda: state_in_group(door, mallory) == "dropped")
    with as_member(silo, mallory) as wire:
        ack = confirm(wire, door, OLD, "m2", "u:b.txt", "wrong")
    assert "refused" in door.ctl("why", ack["msgid"])
    left(door, 2)
    assert "not authorised" in told(mallory, "not sent")["body"]


def test_files_do_not_follow_once_the_mapping_was_revoked(door, mallory, silo):
    with as_member(silo, mallory) as wire:
        forward(wire, door, OLD, [said(OLD, wire.uid, "text", attach=[("u:a.txt", 5)])], [DAVE])
        left(door, 1)
        door.ctl("mapping", "revoke", mapping_id(door, mallory.alias, DAVE))
        confirm(wire, door, OLD, OLD, "u:a.txt", "files")
        left(door, 1)
    assert "not authorised" in told(mallory, "not sent")["body"]


def keep_copy(door, wire, ack, copy):
    """As if the gateway had taken the delivery of this forward, and nothing after it."""
    with contextlib.closing(sqlite3.connect(os.path.join(door.state, "postern.db"))) as connection, connection:
        run = connection.execute
        now = int(time.time() * 1000)
        member, = run("SELECT id FROM member WHERE uid = ?", (wire.uid,)).fetchone()
        run("INSERT INTO seen_tmtp (msgid, seen_at) VALUES (?, ?)", (ack["msgid"], now))
        thread = run("INSERT INTO thread (threadid, subject, created_at) VALUES (?, 'Plans', 0)", (OLD,)).lastrowid
        run("INSERT INTO thread_party (thread_id, member_id, alias, uid) VALUES (?, ?, 'Mallory Member', ?)", (thread, member, wire.uid))
        content = run("INSERT INTO content (size, data) VALUES (?, ?)", (len(copy), copy.encode())).lastrowid
        entry = run("INSERT INTO outbound (kind, state, tmtp_msgid, thread_id, member_id, author_uid, author_alias, message_id, head,"
                    " content_id, size, posted_at, received_at, next_attempt_at)"
                    " VALUES ('forward', 'waiting', ?, ?, ?, ?, 'Mallory Member', 'forward@gw.example.org', '{}', ?, ?, ?, ?, ?)",
                    (ack["msgid"], thread, member, wire.uid, content, len(copy), now, now, now + 600000)).lastrowid
        run("INSERT INTO forward_message (outbound_id, seq, msgid, author_uid, author_alias, posted_at, body_offset, body_size, attachments)"
            " VALUES (?, 0, ?, ?, '', 0, ?, 4, '{\"Attach\":[{\"Name\":\"u:a.txt\",\"Size\":5}]}')",
            (entry, OLD, wire.uid, copy.index("\ntext\n") + 1))


def test_files_that_come_before_it_is_known_for_whom(door, mallory, silo):
    """A client that is told of the forward may send its file before the silo has told the gateway who is new."""
    uid = gateway_uid(door)
    door.stop()
    with as_member(silo, mallory) as wire:
        head = {"ThreadId": OLD, "ConfirmId": OLD, "ConfirmPosted": "2026-11-23T01:00:01.000Z", "Attach": [{"Name": "u:a.txt", "Size": 5}]}
        wire.post([uid], head, "files")
        messages = [said(OLD, wire.uid, "text", attach=[("u:a.txt", 5)])]
        ack = forward(wire, door, OLD, messages, [DAVE], uid=uid)
        keep_copy(door, wire, ack, copy_of(messages))
    door.start()
    mails = left(door, 2)
    assert [mail["To"] for mail in mails] == [DAVE, DAVE]
    assert ["a.txt"] == [part.get_filename() for mail in mails for part in mail.iter_attachments()]


def test_files_that_wait_for_a_thread_that_nobody_gets(door, mallory, silo):
    """The silo says who is new, and it is nobody outside: the file that came before does not go out, nor wait for ever."""
    uid = gateway_uid(door)
    door.stop()
    with as_member(silo, mallory) as wire:
        head = {"ThreadId": OLD, "ConfirmId": OLD, "ConfirmPosted": "2026-11-23T01:00:01.000Z", "Attach": [{"Name": "u:a.txt", "Size": 5}]}
        files = wire.post([uid], head, "files")
        messages = [said(OLD, wire.uid, "text", attach=[("u:a.txt", 5)])]
        ack = forward(wire, door, OLD, messages, [BOB], uid=uid)
        keep_copy(door, wire, ack, copy_of(messages))
    door.start()
    wait_until("the thread is refused", lambda: "not authorised" in door.ctl("why", ack["msgid"]))
    wait_until("the file waits", lambda: door.queue("out"))
    door.ctl("queue", "retry", "all")
    left(door, 0)
    assert "nobody got the thread" in door.ctl("why", files["msgid"])


def rows(gateway, table):
    with contextlib.closing(sqlite3.connect(f"file:{gateway.state}/postern.db?mode=ro", uri=True)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_strangers_lists_are_not_kept(door, silo):
    """Whoever may register could fill the database with participants of threads that nobody ever gets."""
    before = rows(door, "thread"), rows(door, "thread_party")
    uid = gateway_uid(door)
    with Wire(silo.port) as stranger:
        stranger.register("Stranger")
        parties = [{"Who": f"Somebody {number}", "WhoUid": f"U{number}"} for number in range(3000)]
        ack = stranger.post([uid], {"Alias": "Stranger", "ThreadId": "", "Subject": "x",
                                    "Cc": [{"Who": BOB, "WhoUid": uid}, *parties]}, "text")
        wait_until("it is decided", lambda: "outcome=not_a_member" in decision(door, ack["msgid"]))
    assert (rows(door, "thread"), rows(door, "thread_party")) == before


def test_thread_grows_up_to_its_limit(door, mallory, silo):
    """Beyond, who is new is not noted; the thread goes on. Each message would look at all of them."""
    with as_member(silo, mallory) as wire:
        forward(wire, door, OLD, [said(OLD, wire.uid, "text")], [DAVE])
        left(door, 1)
        uid = gateway_uid(door)
        for batch in range(3):
            note = json.dumps({"ThreadId": OLD, "Cc": [{"Who": f"Somebody {batch}.{number}", "WhoUid": f"U{batch}.{number}"}
                                                       for number in range(6000)]})
            head = json.dumps({"ThreadId": OLD})
            ack = wire.request({"op": 8, "datahead": len(head), "notelen": len(note), "fornotself": True,
                                "for": [{"id": uid, "type": 1}]}, (note + head + copy_of([said(OLD, wire.uid, "text")])).encode())
            assert "error" not in ack
            wait_until("it is decided", lambda: door.read_log().count("outcome=participants") == batch + 1)
        assert rows(door, "thread_party") == 10000
        assert "event=thread.full" in door.read_log()
        wire.post([uid], {"ThreadId": OLD}, "It goes on")
    assert "It goes on" in plain_text(left(door, 2)[1])


def test_list_of_contradictions_is_no_flood_of_the_log(door, alice, silo):
    uid = gateway_uid(door)
    with Wire(silo.port) as stranger:
        stranger.register("Stranger")
        parties = [{"Who": alice.alias, "WhoUid": f"U{number}"} for number in range(3000)]
        ack = stranger.post([uid], {"Alias": "Stranger", "ThreadId": "", "Subject": "x", "Cc": parties}, "text")
        wait_until("it is decided", lambda: decision(door, ack["msgid"]))
    assert 0 < door.read_log().count("event=identity.contradicted") <= 100
    assert "and 2950 more" in door.ctl("why", ack["msgid"])


def test_guessed_thread_of_a_group_does_not_grow(door, alice, mallory, silo):
    """Mallory is a member, but was never seen in the group: by adding Dave to its thread she would have him read what
    the group writes to Bob."""
    alice.tmtp("group", "--account", alice.account, "invite", GID, GATEWAY_ALIAS)
    wait_until("the gateway has joined", lambda: '"joined"' in door.ctl("--json", "group", "list"))
    for address in (BOB, DAVE):
        door.ctl("mapping", "add", address, GID)
    send(door.smtp_port, make_mail("To the team", recipient=SALES), recipients=[SALES])
    thread = alice.receive_mail("To the team")["threadid"]
    with as_member(silo, mallory) as wire:
        ack = forward(wire, door, thread, [said(thread, wire.uid, "not theirs")], [DAVE])
        wait_until("it is decided", lambda: decision(door, ack["msgid"]))
        wait_until("its notice changes nothing", lambda: "outcome=not_in_thread" in door.read_log())
    alice.post([BOB, GID], "For Bob", thread=thread)
    mail = left(door, 1)[0]
    assert (mail["To"], plain_text(mail).strip()) == (BOB, "For Bob")
    assert "you are not in the thread" in told(mallory, "not sent")["body"]


@pytest.mark.parametrize("messages,files,problem", [(2000, 5, None), (2001, 0, "more than 2,000 messages"),
                                                    (1001, 10, "more than 10,000 attachments")])
def test_largest_thread_that_is_sent(door, mallory, silo, messages, files, problem):
    names = [(f"u:{number}", 1) for number in range(files)]
    with as_member(silo, mallory) as wire:
        forward(wire, door, OLD, [said(OLD, wire.uid, f"number {number}", msgid=f"{number:016x}", attach=names)
                                  for number in range(messages)], [DAVE])
        text = "" if problem else plain_text(left(door, 1)[0])
        assert text.count("> number ") == (0 if problem else messages)
    if problem:
        told(mallory, problem)
        left(door, 0)


NASTY = ["<b>Bob</b> & *co*", "\"Quoted\" <eve@example.com>", "Line\r\nBcc: eve@example.com\r\n\r\nbody", "\u202eEvil\x1b[31m",
         "=?utf-8?q?Encoded?=", "A" * 5000, "\u00e9" * 999, "> quoted wrote on 2020:"]


def test_names_in_a_thread_are_only_names(door, mallory, silo):
    """Markup, line ends, control characters and lengths: nothing but a line of ours comes of them."""
    with as_member(silo, mallory) as wire:
        forward(wire, door, OLD, [said(OLD, wire.uid, "text", name=name, attach=[("u:" + name[:300], 5)]) for name in NASTY], [DAVE])
        mail = left(door, 1)[0]
    assert mail["Bcc"] is None and mail["To"] == DAVE and "eve@" not in str(mail["From"])
    text = plain_text(mail)
    lines = text.splitlines()
    assert sum(line == "> text" for line in lines) == len(NASTY), text
    assert not any(line.startswith("Bcc:") or "\x1b" in line for line in lines)
    assert not any(ord(character) < 32 and character != "\n" for character in text.replace("\r", ""))
    html = mail.get_body(("html",)).get_content()
    assert "<b>Bob" not in html and "&lt;b&gt;Bob" in html


@pytest.mark.parametrize("attach,body", [
    ([("u:a.txt", 50)], "text"),             # attachments of the copy itself, taken from its last bytes
    ([("u:a.txt", 100000)], "text"),         # more than there is
    ([], "text" * 3000)])
def test_copy_that_has_attachments_itself(door, mallory, silo, attach, body):
    """Nobody sends such a thing. It is sent, or held and its author told; the next one gets through."""
    uid = gateway_uid(door)
    with as_member(silo, mallory) as wire:
        note = json.dumps({"ThreadId": OLD, "Cc": [{"Who": DAVE, "WhoUid": uid}]})
        head = json.dumps({"ThreadId": OLD, "Attach": [{"Name": name, "Size": size} for name, size in attach]})
        ack = wire.request({"op": 8, "datahead": len(head), "notelen": len(note), "fornotself": True,
                            "for": [{"id": uid, "type": 1}]}, (note + head + copy_of([said(OLD, wire.uid, body)])).encode())
        assert "error" not in ack
        wait_until("it is decided", lambda: decision(door, ack["msgid"]))
        wait_until("it is sent, refused or held", lambda: all(row["doing"] == "held" for row in door.queue("out")))
        held = [row["id"] for row in door.queue("out")]
        sent = len(read_maildir(door.maildir))
        forward(wire, door, OLD, [said(OLD, wire.uid, "the next")], [DAVE])
        for name in held:
            door.ctl("queue", "drop", name, "--reason", "it is no mail")
        left(door, sent + 1)
    if not sent:
        told(mallory, "by email")


def test_forward_to_somebody_of_the_silo_is_no_mail(door, mallory, silo):
    """The gateway is told of them, because it is in the thread: not an error, and nobody outside was meant."""
    with as_member(silo, mallory) as wire:
        forward(wire, door, OLD, [said(OLD, wire.uid, "text")], [DAVE])
        left(door, 1)
        note = json.dumps({"ThreadId": OLD, "Cc": [{"Who": "Somebody", "WhoUid": "SOMEBODY"}]})
        head = json.dumps({"ThreadId": OLD})
        ack = wire.request({"op": 8, "datahead": len(head), "notelen": len(note), "fornotself": True,
                            "for": [{"id": gateway_uid(door), "type": 1}]}, (note + head + copy_of([said(OLD, wire.uid, "x")])).encode())
        wait_until("it is settled", lambda: not door.queue("out"))
    assert "nobody outside was added" in door.ctl("why", ack["msgid"])
    assert not door.queue("in"), "there is nothing to tell anybody"
    left(door, 1)


def test_notice_of_another_thread_sends_no_forward(door, mallory, silo):
    """The copy says that it is one thread, the list of who is new another."""
    with as_member(silo, mallory) as wire:
        for thread in (OLD, "0000000000000002"):
            forward(wire, door, thread, [said(thread, wire.uid, "text")], [DAVE])
        left(door, 2)
        note = json.dumps({"ThreadId": OLD, "Cc": [{"Who": DAVE, "WhoUid": gateway_uid(door)}]})
        head = json.dumps({"ThreadId": "0000000000000002"})
        wire.request({"op": 8, "datahead": len(head), "notelen": len(note), "fornotself": True,
                      "for": [{"id": gateway_uid(door), "type": 1}]}, (note + head + copy_of([said(OLD, wire.uid, "x")])).encode())
        wait_until("both are decided", lambda: door.read_log().count("outcome=participants") == 1)
    assert [(row["state"], row["to"]) for row in door.queue("out")] == [("waiting", "")]
    assert len(read_maildir(door.maildir)) == 2


@pytest.mark.parametrize("attach", [[("u:a.txt", 6)], [("u:b.txt", 5)], [("u:a.txt", 5), ("u:b.txt", 1)], []])
def test_confirmation_is_no_way_to_send_something_else(door, mallory, silo, attach):
    with as_member(silo, mallory) as wire:
        forward(wire, door, OLD, [said(OLD, wire.uid, "text", attach=[("u:a.txt", 5)])], [DAVE])
        left(door, 1)
        head = {"ThreadId": OLD, "ConfirmId": OLD, "Attach": [{"Name": name, "Size": size} for name, size in attach]}
        ack = wire.post([gateway_uid(door)], head, "x" * sum(size for _, size in attach))
        wait_until("it is decided", lambda: "outcome=confirmation" in decision(door, ack["msgid"]))
        left(door, 1)
        confirm(wire, door, OLD, OLD, "u:a.txt", "files")
        left(door, 2)


def test_files_go_only_to_those_who_got_the_thread(door, mallory, silo):
    """The thread could not be sent: whoever is let in again later does not get files of something unknown."""
    door.stop()
    door.relay = "smtp://127.0.0.1:1"
    door.start()
    with as_member(silo, mallory) as wire:
        forward(wire, door, OLD, [said(OLD, wire.uid, "text", attach=[("u:a.txt", 5)])], [DAVE])
        wait_until("it is addressed", lambda: [row for row in door.queue("out") if row["to"]])
        door.ctl("mapping", "revoke", mapping_id(door, mallory.alias, DAVE))
        door.ctl("queue", "retry", "all")
        wait_until("it has failed", lambda: not door.queue("out"))
        door.ctl("mapping", "add", DAVE, mallory.alias)
        confirm(wire, door, OLD, OLD, "u:a.txt", "files")
        assert not door.queue("out")


def test_member_outside_of_a_group_starts_no_thread_in_its_name(door, alice, mallory, silo):
    """Not with the first message, and not with the second, whose thread is known by then."""
    alice.tmtp("group", "--account", alice.account, "invite", GID, GATEWAY_ALIAS)
    wait_until("the gateway has joined", lambda: '"joined"' in door.ctl("--json", "group", "list"))
    door.ctl("mapping", "add", BOB, GID)
    uid = gateway_uid(door)
    with as_member(silo, mallory) as wire:
        parties = [{"Who": mallory.alias, "WhoUid": wire.uid}, {"Who": GID, "WhoUid": GID}, {"Who": BOB, "WhoUid": uid}]
        first = wire.post([uid], {"Alias": mallory.alias, "ThreadId": "", "Subject": "An offer", "Cc": parties}, "In their name")
        second = wire.post([uid], {"Alias": mallory.alias, "ThreadId": first["msgid"]}, "Again")
        for message in (first, second):
            wait_until("it is decided", lambda: "outcome=refused" in decision(door, message["msgid"]))
    left(door, 0)


def test_author_hears_who_of_several_did_not_get_it(door, mallory, silo):
    uid = gateway_uid(door)
    with as_member(silo, mallory) as wire:
        parties = [{"Who": mallory.alias, "WhoUid": wire.uid}] + [{"Who": alias, "WhoUid": uid} for alias in (BOB, DAVE)]
        wire.post([uid], {"Alias": mallory.alias, "ThreadId": "", "Subject": "Both", "Cc": parties}, "Hello")
    assert left(door, 1)[0]["To"] == DAVE
    notice = told(mallory, "not sent")
    assert BOB in notice["body"] and DAVE not in notice["body"]


def test_stranger_is_told_once_a_day_and_another_gateway_never(door, silo):
    """Else two gateways could write notices to each other without end."""
    uid = gateway_uid(door)
    with Wire(silo.port) as other, Wire(silo.port) as stranger:
        other.register("Other Gateway")
        stranger.register("Stranger")
        for wire, head in ((other, {"PosternKey": "in1-1"}), (stranger, {}), (stranger, {})):
            ack = wire.post([uid], {"ThreadId": "", "Subject": "Hello", **head}, "Hello")
            wait_until("it is decided", lambda: "outcome=not_a_member" in decision(door, ack["msgid"]))
        left(door, 0)
        for wire, count in ((other, 0), (stranger, 1)):
            for _ in range(3):   # what came is read meanwhile
                wire.ping({other: "Other Gateway", stranger: "Stranger"}[wire], GATEWAY_ALIAS, "hello")
            assert sum(b"not sent" in data for _, data in wire.pushes) == count


def test_another_gateway_is_not_told_even_as_a_member(door, mallory, silo):
    """Two gateways that are members of each other wrote notices about each other's notices without end."""
    uid = gateway_uid(door)
    with as_member(silo, mallory) as wire:
        for head in ({"PosternKey": "in1-1"}, {}):
            ack = wire.post([uid], {"Alias": mallory.alias, "ThreadId": "", "Subject": "For nobody", **head}, "Hello")
            wait_until("it is decided", lambda: "outcome=refused" in decision(door, ack["msgid"]))
    notice = told(mallory, "nobody outside")
    assert notice
    mallory.receive(wait=1)
    assert sum("nobody outside" in item["body"] for item in mallory.mails()) == 1


def test_large_file_for_two_forwards(door, mallory, silo):
    """It is kept as a file of its own, for one of them; the next confirmation is for the other."""
    data = "x" * 400000
    with as_member(silo, mallory) as wire:
        for text in ("one", "two"):
            forward(wire, door, OLD, [said(OLD, wire.uid, text, attach=[("u:a.txt", len(data))])], [DAVE])
        left(door, 2)
        for count in (3, 4, 4):
            confirm(wire, door, OLD, OLD, "u:a.txt", data)
            mails = left(door, count)
    sizes = [len(part.get_content()) for mail in mails for part in mail.iter_attachments()]
    assert sizes == [len(data), len(data)]
