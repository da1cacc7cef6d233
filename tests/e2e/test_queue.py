"""The queues as an administrator sees them, and what members hear when something is done to their messages."""
import re
import socketserver
import threading

import pytest

from mail import BOB, make_mail, send
from procs import wait_until

CAROL, EVE = "carol@example.net", "eve@elsewhere.example"


REPORT = """\
From: MAILER-DAEMON@mx.example.com
To: {to}
Subject: Undelivered
Message-ID: <r1@mx.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

It did not work.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--B--
"""


class Relay(socketserver.ThreadingTCPServer):
    """A relay that takes everything, but for the recipients in `refused`, and waits before the last reply while `gate` is closed."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Session)
        self.gate = threading.Event()
        self.gate.set()
        self.refused = {}     # address -> reply
        self.last_reply = "250 2.0.0 taken"
        self.waiting = threading.Event()
        self.mails = []
        self.senders = []     # of MAIL
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 relay.test")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"MAIL":
                self.server.senders.append(re.search(rb"<(.*?)>", line).group(1).decode())
                self.say("250 ok")
            elif verb == b"RCPT":
                address = re.search(rb"<(.*?)>", line).group(1).decode()
                self.say(self.server.refused.get(address, "250 ok"))
            elif verb == b"DATA":
                self.say("354 go on")
                self.take()
            else:
                self.say("221 bye" if verb == b"QUIT" else "250 ok")

    def take(self):
        content = b""
        for line in self.rfile:
            if line == b".\r\n":
                break
            content += line
        self.server.waiting.set()
        self.server.gate.wait()
        self.server.mails.append(content)
        self.say(self.server.last_reply)


@pytest.fixture
def relay():
    with Relay() as server:
        yield server
        server.gate.set()
        server.shutdown()


@pytest.fixture
def door(stopped_gateway, alice, relay):
    """Alice may write to Bob, Carol and Eve, through the relay. What fails is tried again after half an hour."""
    gateway = stopped_gateway
    gateway.relay = relay.url
    gateway.retry_first = gateway.retry_longest = "30m"
    gateway.start()
    gateway.introduce(alice, "alice")
    for address in (BOB, CAROL, EVE):
        gateway.open_door(address, alice)
    return gateway


def entry(gateway, name):
    return gateway.ctl_json("queue", "show", name)


def wait_for(gateway, name, **fields):
    """Until the entry has these values; returns it."""
    def look():
        if f"message={name} " not in gateway.read_log():
            return None
        shown = entry(gateway, name)
        return shown if all(shown[key] == value for key, value in fields.items()) else None
    return wait_until(f"{name} has {fields}", look)


def deferred(gateway, relay, alice, subject="Plans", to=BOB):
    """A message whose recipient the relay has put off; its name."""
    count = int(gateway.ctl_json("status")["messages_accepted"])
    relay.refused[to] = "450 4.2.1 mailbox busy"
    alice.post(to, "Hello\n", subject=subject)
    name = f"out{count + 1}"
    wait_for(gateway, name, doing="deferred", attempts=1)
    return name


def notice(member, subject):
    return member.receive_mail(subject)["body"]


def listed(gateway, *options):
    return [row["id"] for row in gateway.ctl_json("queue", "list", *options)["queue"]]


def test_what_the_list_says(door, relay, alice):
    relay.refused = {BOB: "450 4.2.1 mailbox busy", CAROL: "550 5.1.1 no such user"}
    alice.post([BOB, CAROL, EVE], "Hello\n", subject="For three")
    wait_for(door, "out1", attempts=1)
    answer = door.ctl_json("queue", "list", "--direction", "out")
    assert (answer["total"], answer["shown"], answer["more"]) == (1, 1, False)
    row = answer["queue"][0]
    assert (row["kind"], row["state"], row["doing"], row["from"]) == ("message", "routed", "deferred", "Alice Member")
    assert (row["waiting"], row["delivered"], row["failed"]) == (1, 1, 1)
    assert "mailbox busy" in row["last_error"] and BOB in row["to"]
    shown = entry(door, "out1")
    assert [(item["address"], item["state"]) for item in shown["recipients"]] == [(BOB, "waiting"), (CAROL, "failed"), (EVE, "delivered")]
    assert "no such user" in shown["recipients"][1]["reply"]
    assert "mailbox busy" in door.ctl("queue", "show", "out1")


def test_the_list_is_filtered_and_limited(door, relay, alice):
    names = [deferred(door, relay, alice, subject, to) for subject, to in (("One", BOB), ("Two", CAROL), ("Three", BOB))]
    assert listed(door) == names
    assert listed(door, "--to", "BOB@") == [names[0], names[2]]
    assert listed(door, "--to", "@example.net") == [names[1]]
    assert listed(door, "--from", "alice m") == names
    assert listed(door, "--from", "carol") == []
    assert listed(door, "--older", "1h") == []
    assert listed(door, "--older", "0s") == names
    assert listed(door, "--state", "deferred") == names
    assert listed(door, "--state", "due") == []
    assert listed(door, "--direction", "in") == []
    for options, total in (((), 3), (("--to", BOB), 2)):
        answer = door.ctl_json("queue", "list", "--limit", "1", *options)
        assert ([row["id"] for row in answer["queue"]], answer["total"], answer["more"]) == ([names[0]], total, True)
    for options, expected in (((), names), (("--to", BOB), [names[0], names[2]])):   # page by page
        seen, after = [], ()
        while True:
            answer = door.ctl_json("queue", "list", "--limit", "1", *options, *after)
            seen += [row["id"] for row in answer["queue"]]
            if not answer["more"]:
                break
            after = ("--after", answer["more_after"])
        assert seen == expected
    for wrong in (("--limit", "0"), ("--after", "in17"), ("--limit", "many"), ("--older", "yesterday"), ("--state", "lost"), ("--to", "")):
        door.ctl("queue", "list", *wrong, expect=2)


def test_retry_all_leaves_what_is_held(door, relay, alice):
    names = [deferred(door, relay, alice, subject) for subject in ("One", "Two", "Three")]
    door.ctl("queue", "hold", names[1])
    relay.refused = {}
    assert door.ctl_json("queue", "retry", "all") == {"retrying": "all", "entries": 2, "still_held": 1}
    for name in (names[0], names[2]):
        wait_for(door, name, state="settled")
    assert entry(door, names[1])["doing"] == "held" and len(relay.mails) == 2
    assert listed(door, "--state", "held") == [names[1]]
    assert "held by an administrator" in door.ctl("queue", "list", "--state", "held")


def test_the_author_hears_of_hold_and_release(door, relay, alice):
    name = deferred(door, relay, alice)
    assert door.ctl_json("queue", "hold", name, "--reason", "looks *odd*")["author_told"] is True
    told = notice(alice, "Held")
    assert BOB in told and "` looks *odd* `" in told
    assert door.ctl_json("queue", "hold", name)["author_told"] is False   # who knows it already is not told again
    relay.refused = {}
    assert door.ctl_json("queue", "retry", name)["author_told"] is True
    assert "goes on" in notice(alice, "Released")
    wait_for(door, name, state="settled")


def test_the_author_hears_of_a_drop_and_why(door, relay, alice):
    relay.refused = {BOB: "450 4.2.1 mailbox busy"}
    alice.post([BOB, CAROL], "Hello\n", subject="For two")
    wait_for(door, "out1", attempts=1)
    answer = door.ctl_json("queue", "drop", "out1", "--reason", "the contract has ended")
    assert answer == {"dropped": "out1", "under_way": False, "author_told": True}
    told = notice(alice, "Not sent by email")
    assert "the contract has ended" in told and BOB in told
    assert CAROL not in told, "she has it"
    thread = {item["threadid"] for item in alice.mails()}
    assert len(thread) == 1
    shown = entry(door, "out1")
    assert shown["state"] == "dropped"
    assert [item["state"] for item in shown["recipients"]] == ["dropped", "delivered"]
    door.ctl("queue", "drop", "out1", "--reason", "again", expect=1)
    door.ctl("queue", "drop", "out1", expect=2)


def test_what_is_dropped_while_it_is_handed_on(door, relay, alice):
    """It may be delivered all the same; the author hears both, and the story has both."""
    relay.gate.clear()
    alice.post(BOB, "Hello\n", subject="Too late")
    assert relay.waiting.wait(20)
    wait_for(door, "out1", doing="under way")
    assert door.ctl_json("queue", "drop", "out1", "--reason", "a mistake")["under_way"] is True
    assert "may arrive all the same" in notice(alice, "Not sent by email")
    relay.gate.set()
    shown = wait_for(door, "out1", doing=None, delivered=1)
    assert shown["state"] == "dropped"
    events = [row["event"] for row in shown["trace"]]
    assert events.index("dropped") < events.index("delivered")
    assert BOB in notice(alice, "Delivered all the same")


def test_what_is_held_while_it_is_handed_on(door, relay, alice):
    relay.gate.clear()
    alice.post(BOB, "Hello\n", subject="Too late")
    assert relay.waiting.wait(20)
    door.ctl("queue", "hold", "out1")
    relay.gate.set()
    assert wait_for(door, "out1", state="settled")["delivered"] == 1


def test_what_is_held_while_it_is_put_off_stays_held(door, relay, alice):
    """And it is not forgotten by whom."""
    relay.gate.clear()
    relay.last_reply = "451 4.3.0 not now"
    alice.post(BOB, "Hello\n", subject="Too late")
    assert relay.waiting.wait(20)
    door.ctl("queue", "hold", "out1", "--reason", "wait for the contract")
    relay.gate.set()
    shown = wait_for(door, "out1", attempts=1)
    assert (shown["doing"], shown["last_error"]) == ("held", "held by an administrator: wait for the contract")
    assert "not now" in shown["recipients"][0]["reply"]


def test_a_relay_that_is_down_is_probed_by_a_retry(door, relay, alice):
    relay.shutdown()
    relay.server_close()
    alice.post(BOB, "Hello\n", subject="Plans")
    wait_for(door, "out1", doing="deferred")
    down = door.ctl_json("status")["relays"][0]
    assert (down["relay"], down["state"]) == (relay.url, "down") and down["error"]
    queue = next(row for row in door.ctl_json("status")["queues"] if row["queue"] == "out")
    assert (queue["deferred"], queue["due"]) == (1, 0) and queue["oldest"]
    with Relay(relay.server_address[1]):
        door.ctl("queue", "retry", "out1")
        wait_for(door, "out1", state="settled")
    assert door.ctl_json("status")["relays"][0]["state"] == "up"


def test_why_has_each_attempt_with_the_relay_and_its_words(door, relay, alice):
    name = deferred(door, relay, alice)
    relay.refused = {BOB: "550 5.1.1 no such user"}
    door.ctl("queue", "retry", name)
    wait_for(door, name, state="settled")
    address = relay.url.partition("//")[2]
    attempts = [row["detail"] for row in door.ctl_json("why", name)["trace"] if row["event"] in ("deferred", "failed")]
    assert [f"{BOB}: 450 4.2.1 mailbox busy" in attempts[0], f"{BOB}: 550 5.1.1 no such user" in attempts[1]] == [True, True]
    assert all(address in attempt for attempt in attempts), attempts
    assert entry(door, name)["recipients"][0]["relay"] == address


def test_why_leads_from_one_entry_to_the_others(door, relay, alice):
    relay.refused = {BOB: "550 5.1.1 no such user"}
    alice.post(BOB, "Hello\n", subject="Anybody there?")
    wait_for(door, "out1", state="settled")
    related = door.ctl_json("why", "out1")["related"]
    assert [(row["kind"], row["to"]) for row in related] == [("notice", "Alice Member")]
    assert door.ctl_json("why", related[0]["id"])["about"] == "out1"
    message_id = entry(door, "out1")["message_id"]
    for key in (message_id, f"<{message_id}>"):
        assert door.ctl_json("why", key)["id"] == "out1"


def test_why_has_what_came_back(door, relay, alice):
    alice.post(BOB, "Hello\n", subject="Anybody there?")
    wait_for(door, "out1", state="settled")
    report = REPORT.format(to=relay.senders[0], address=BOB).replace("\n", "\r\n").encode()
    send(door.smtp_port, report, sender="", recipients=(relay.senders[0],))
    notice(alice, "Not delivered by email")
    story = wait_until("it is noted", lambda: (lambda shown: shown if shown["reports"] else None)(entry(door, "out1")))
    assert [(row["address"], row["action"], row["status"], row["said_by"]) for row in story["reports"]] == [(BOB, "failed", "5.1.1", "in1")]
    assert {("in1", "returned"), ("in2", "notice")} <= {(row["id"], row["kind"]) for row in story["related"]}
    assert door.ctl_json("why", "in1")["about"] == "out1"
    assert door.ctl_json("queue", "list", "--state", "settled", "--direction", "in")["queue"][-1]["from"]


def test_why_finds_reports(gateway, bob_to_alice, silo):
    silo.stop()
    mail = make_mail("Never read")
    send(gateway.smtp_port, mail)
    gateway.ctl("queue", "drop", "in1", "--reason", "not for her")
    related = gateway.ctl_json("why", mail["Message-ID"])["related"]
    assert [(row["id"], row["kind"], row["to"]) for row in related] == [("out1", "report", BOB)]
    report = gateway.ctl_json("why", "out1")
    assert (report["about"], report["from"]) == ("in1", "(gateway)")
    assert gateway.ctl_json("why", f"<{report['message_id']}>")["id"] == "out1"


def test_reports_are_wanted_for_what_is_written_from_then_on(door, relay, alice):
    first = deferred(door, relay, alice, "Before")
    alice.ping(door.alias, "reports on")
    notice(alice, "Delivery reports are on")
    second = deferred(door, relay, alice, "After")
    assert [entry(door, name)["wants_reports"] for name in (first, second)] == [False, True]
