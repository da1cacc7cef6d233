"""What comes back to the return addresses of members' messages: who may bring it, and what the author is told, once."""
import contextlib
import os
import random
import re
import signal
import smtplib
import socketserver
import subprocess
import threading
import time

import pytest

from mail import ALICE, BOB, make_mail
from mail import send as send_mail
from postern import DOMAIN, Gateway, Member, Silo
from postfix import read_maildir
from procs import DEV, PATIENCE, RELEASE, descendants, sanitizer_environment, wait_until

DAVE = "dave@example.net"
KILLS = 30 if os.environ.get("POSTERN_LONG") == "1" else 5

REPORT = """\
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: {to}
Subject: {subject}
Message-ID: <{message_id}@mx.example.com>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

This is the mail system at host mx.example.com.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

{fields}
--B
Content-Type: text/rfc822-headers

From: {alice}
Subject: whatever
Message-ID: {about}

--B--
"""
RECIPIENT = """\
{original}Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Remote-MTA: dns; inner.example.com
Diagnostic-Code: smtp; {diagnostic}
{more}
"""
UNKNOWN = "550 5.1.1 <bob@example.com>: no such *user*"


def recipient(address=BOB, action="failed", status="5.1.1", diagnostic=UNKNOWN, original=None, more=""):
    return RECIPIENT.format(original=f"Original-Recipient: rfc822; {original}\n" if original else "", address=address, action=action,
                            status=status, diagnostic=diagnostic, more=more + "\n" if more else "")


def make_report(mail, *recipients, number=1, subject="Undelivered Mail Returned to Sender"):
    text = REPORT.format(to=return_path(mail), subject=subject, message_id=f"report.{number}", alice=ALICE, about=mail["Message-ID"],
                         fields="\n".join(recipients or [recipient()]))
    return text.replace("\n", "\r\n").encode()


def return_path(mail):
    return mail["Return-Path"].strip("<>")


def bring(gateway, mail, data, sender="", port=None):
    """Delivers something to the return address of a mail."""
    data = data if isinstance(data, bytes) else data.as_bytes()
    return send_mail(port or gateway.smtp_port, data, sender=sender, recipients=[return_path(mail)])


def refused_at_rcpt(gateway, address, sender=""):
    """The server's words at RCPT."""
    with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=PATIENCE) as connection:
        connection.ehlo()
        assert connection.mail(sender)[0] == 250
        code, text = connection.rcpt(address)
        return f"{code} {text.decode()}"


def story(gateway, entry):
    return [f"{line['event']}: {line['detail']}" for line in gateway.ctl_json("why", entry)["trace"]]


def receive_part(member, part):
    return member.receive_where(f"something with {part!r}", lambda item: item["op"] == "delivery" and part in item["body"])


def count_told(member, part):
    member.receive(wait=1)
    return sum(part in item["body"] for item in member.mails())


@pytest.fixture
def sent(gateway, bob_to_alice):
    """A message of Alice's that has left for Bob: the mail, whose Return-Path is where reports go."""
    bob_to_alice.post(BOB, "Are you there?", subject="A question")
    mail = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    gateway.wait_settled()
    bob_to_alice.receive(wait=1)
    return mail


@pytest.fixture
def sent_to_two(gateway, bob_to_alice):
    gateway.open_door(DAVE, bob_to_alice)
    bob_to_alice.post([BOB, DAVE], "Are you there?", subject="A question")
    mail = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    gateway.wait_settled()
    bob_to_alice.receive(wait=1)
    return mail


# The address.

def test_return_addresses_are_signed_and_survive_folding(gateway, sent):
    assert re.fullmatch(rf"bounces\+[a-z2-7]{{48}}@{re.escape(DOMAIN)}", return_path(sent))
    assert re.fullmatch(r"<tmtp-[0-9a-zA-Z_]+\.[a-z2-7]{16}@[^>]+>", sent["Message-ID"])
    for address in (return_path(sent), return_path(sent).upper(), return_path(sent).capitalize()):
        assert refused_at_rcpt(gateway, address).startswith("250 ")
        assert refused_at_rcpt(gateway, address, sender="anybody@example.net").startswith("250 ")


def test_without_a_valid_token_nothing_comes_back(gateway, sent):
    token = return_path(sent)
    forged = token[:20] + ("a" if token[20] != "a" else "b") + token[21:]
    for address in (forged, f"bounces@{DOMAIN}", f"bounces+{ALICE}", f"bounces+@{DOMAIN}", "b" + token, token.replace("+", "+a")):
        assert re.match(r"550 5\.[17]\.1 ", refused_at_rcpt(gateway, address)), address
    assert refused_at_rcpt(gateway, ALICE) == f"550 5.7.1 <{ALICE}>: bounces are accepted for our own mail only"
    assert gateway.queue("in") == []


def test_a_return_address_is_the_only_recipient(gateway, sent):
    for first, second in ((return_path(sent), ALICE), (ALICE, return_path(sent)), (return_path(sent), return_path(sent).upper())):
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=PATIENCE) as connection:
            connection.ehlo()
            assert connection.mail(BOB)[0] == 250
            assert connection.rcpt(first)[0] == 250
            code, text = connection.rcpt(second)
            assert (code, text[:5]) == (452, b"4.5.3")


def test_nobody_gets_a_return_address_of_ours(gateway, silo, folder):
    gateway.wait_online()
    member = Member(folder, silo, "Bounces!")
    assert "is for reports" in gateway.ctl("member", "add", "Bounces!", "--address", "bounces", expect=1)
    assert "is for reports" in gateway.ctl("member", "add", "Bounces!", "--address", "bounces+news", expect=1)
    gateway.ctl("member", "add", member.alias)
    assert gateway.ctl_json("member", "show", member.alias)["address"] == f"bounces.2@{DOMAIN}"


# What is told.

def test_failure_is_told_in_the_thread(gateway, bob_to_alice, sent):
    bring(gateway, sent, make_report(sent))
    told = receive_part(bob_to_alice, "could not be delivered")
    assert told["subject"] == "Not delivered by email"
    assert told["body"].startswith("This message could not be delivered by email:\n\n- ` bob@example.com `: ")
    assert f"(5.1.1). inner.example.com said: ` {UNKNOWN} `" in told["body"]
    gateway.wait_settled()
    entry = next(line for line in story(gateway, "out1") if line.startswith("reported: "))
    number = re.search(r"by (in\d+)$", entry).group(1)
    assert entry == f"reported: failed for {BOB} with 5.1.1, says inner.example.com: {UNKNOWN}, by {number}"
    assert "returned: to the return address of out1" in story(gateway, number)
    assert f"reported: failed for {BOB} with 5.1.1, about out1" in story(gateway, number)
    assert gateway.ctl_json("queue", "show", number)["state"] == "settled"


def test_the_same_is_told_once(gateway, bob_to_alice, sent):
    bring(gateway, sent, make_report(sent))
    receive_part(bob_to_alice, "could not be delivered")
    bring(gateway, sent, make_report(sent))            # sent again, since our 250 was lost
    bring(gateway, sent, make_report(sent, number=2))  # another one about the same
    gateway.wait_settled()
    assert count_told(bob_to_alice, "could not be delivered") == 1
    assert any("(known already)" in line for line in story(gateway, "out1"))
    assert sum("came again" in line for entry in range(1, 9) for line in story_or_nothing(gateway, f"in{entry}")) == 1


def story_or_nothing(gateway, entry):
    try:
        return story(gateway, entry)
    except AssertionError:
        return []


def test_delay_is_told_once_and_what_happens_next(gateway, bob_to_alice, sent):
    delayed = recipient(action="delayed", status="4.4.1", diagnostic="connection timed out",
                        more="Will-Retry-Until: Tue, 1 Dec 2037 10:00:00 +0000")
    bring(gateway, sent, make_report(sent, delayed))
    told = receive_part(bob_to_alice, "could not be delivered by email yet")
    assert "tries it again until 1 December 10:00 UTC. There is nothing to do." in told["body"]
    assert told["subject"] == "Delayed"
    bring(gateway, sent, make_report(sent, delayed, number=2))
    bring(gateway, sent, make_report(sent, number=3))
    receive_part(bob_to_alice, "could not be delivered by email:")
    assert count_told(bob_to_alice, "by email yet") == 1


def test_success_is_told_to_whom_asked_for_it(gateway, bob_to_alice, sent):
    delivered = recipient(action="delivered", status="2.0.0", diagnostic="250 2.0.0 Ok")
    bring(gateway, sent, make_report(sent, delivered))
    gateway.wait_settled()
    assert any(f"delivered for {BOB}" in line for line in story(gateway, "out1"))
    gateway.ctl("member", "reports", "Alice Member", "on")
    bob_to_alice.post(BOB, "And now?", subject="Another question")
    second = wait_until("the second mail leaves", lambda: read_maildir(gateway.maildir)[1:])[0]
    bring(gateway, second, make_report(second, delivered, number=2))
    receive_part(bob_to_alice, "was delivered by email:\n\n- ` bob@example.com `: delivered")
    relayed = recipient(action="relayed", status="2.0.0", diagnostic="250 2.0.0 Ok")
    bring(gateway, second, make_report(second, relayed, number=3))
    receive_part(bob_to_alice, "handed on to a mail server that does not report")
    assert count_told(bob_to_alice, "was delivered by email:") == 1


def test_reports_of_several_recipients_are_matched(gateway, bob_to_alice, sent_to_two):
    """One attempt for both has one return address: what is reported is known by the addresses."""
    bring(gateway, sent_to_two, make_report(sent_to_two, recipient("someone@inner.example.com", original="DAVE@Example.NET"),
                                            recipient("mallory@example.com", diagnostic="550 no Mallory here")))
    told = receive_part(bob_to_alice, "could not be delivered")
    assert "- ` dave@example.net, forwarded to someone@inner.example.com `: " in told["body"]
    assert "mallory" not in told["body"]
    gateway.wait_settled()
    assert any("ignored: failed for <mallory@example.com>, who is no recipient of out1" in line
               for entry in range(1, 9) for line in story_or_nothing(gateway, f"in{entry}"))


def test_failure_of_somebody_else_is_told_as_such(gateway, bob_to_alice, sent_to_two):
    """It may be where one of the two has their mail passed on to, by a server that does not say for whom it was; then nobody else reports."""
    for number in range(5):
        bring(gateway, sent_to_two, make_report(sent_to_two, recipient("someone@inner.example.com"), number=number))
    told = receive_part(bob_to_alice, "somebody who is not among its recipients")
    assert told["subject"] == "Unclear delivery" and "- ` someone@inner.example.com `: there is no such mailbox (5.1.1). " in told["body"]
    bring(gateway, sent_to_two, make_report(sent_to_two, recipient("elsewhere@example.com", action="delivered", status="2.0.0"), number=9))
    gateway.wait_settled()
    assert count_told(bob_to_alice, "somebody who is not among its recipients") == 3, "three a day"
    assert count_told(bob_to_alice, "could not be delivered") == 0 and count_told(bob_to_alice, "elsewhere@") == 0


def test_token_of_another_message_is_about_that_one(gateway, bob_to_alice, sent):
    """What a report says of the message's id does not count: the address does."""
    bob_to_alice.post(BOB, "Still there?", subject="Another question")
    second = wait_until("the second mail leaves", lambda: read_maildir(gateway.maildir)[1:])[0]
    bring(gateway, second, make_report(sent).replace(return_path(sent).encode(), return_path(second).encode()))
    told = receive_part(bob_to_alice, "could not be delivered")
    gateway.wait_settled()
    assert any(line.startswith("reported: failed") for line in story(gateway, "out2"))
    assert not any(line.startswith("reported: failed") for line in story(gateway, "out1"))
    assert told["threadid"]


def test_reports_are_read_while_the_silo_is_away(gateway, bob_to_alice, sent, silo):
    silo.kill()
    wait_until("the gateway is offline", lambda: gateway.ctl_json("status")["silo_state"] != "online")
    bring(gateway, sent, make_report(sent))
    wait_until("it is read", lambda: any(line.startswith("reported: failed") for line in story(gateway, "out1")))
    silo.start()
    receive_part(bob_to_alice, "could not be delivered")


def test_loops_end_here(gateway, sent):
    data = make_report(sent)
    with pytest.raises(smtplib.SMTPDataError, match="mail loop"):
        bring(gateway, sent, b"".join(b"Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n" for _ in range(101)) + data)
    mark = sent["X-Postern-Loop"]
    with pytest.raises(smtplib.SMTPDataError, match="mail loop"):
        bring(gateway, sent, f"X-Postern-Loop: {mark}\r\n".encode() + data)


def test_too_many_reports_close_the_return_address(gateway, bob_to_alice, sent):
    delayed = recipient(action="delayed", status="4.4.1", diagnostic="connection timed out")
    for number in range(100):
        bring(gateway, sent, make_report(sent, delayed, number=number))
    assert "too much has come back about this message" in refused_at_rcpt(gateway, return_path(sent))
    gateway.wait_settled()
    assert count_told(bob_to_alice, "could not be delivered by email:") == 0
    assert count_told(bob_to_alice, "by email yet") == 1


def test_a_report_of_everything_about_everybody_is_told_within_bounds(gateway, bob_to_alice):
    """Whoever has the message may write whatever they like to its return address: 50 recipients, each with all that can become of a mail, in
    words that grow when they are quoted."""
    people = [f"p{number}@example.net" for number in range(50)]
    for person in people:
        gateway.open_door(person, bob_to_alice)
    gateway.ctl("member", "reports", "Alice Member", "on")
    bob_to_alice.post(people, "Dear all", subject="To all")
    mail = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    gateway.wait_settled()
    words = "`" * 360 + " [click](http://evil.example/)"
    said = [recipient(person, action=action, status=f"{status}.0.0", diagnostic=words) for person in people
            for action, status in (("failed", 5), ("delayed", 4), ("delivered", 2), ("relayed", 2), ("expanded", 2))]
    bring(gateway, mail, make_report(mail, *said))
    told = receive_part(bob_to_alice, "could not be delivered by email:")
    gateway.wait_settled()
    for line in told["body"].splitlines():
        assert "evil" not in line or re.search(r"said: (`{361}) `{360} \[click\]\(http://evil.example/\) \1$", line), "a stranger's words stay in their code span"
    for intro in ("could not be delivered by email:", "by email yet:", "was delivered by email:", "was handed on:", "passed on to several people:"):
        assert intro in told["body"]
    assert told["body"].count(" more\n") == 5


# No reports.

def vacation(mail, sender=BOB, proven=True, subject="Out of office", body="I am away until `Monday`.\n", references=True):
    answered = [mail["Message-ID"]] if references else ()
    answer = make_mail(subject, body, sender=sender, recipient=return_path(mail), proven=proven, references=answered)
    answer["Auto-Submitted"] = "auto-replied"
    return answer


@pytest.mark.parametrize("references", (True, False))
def test_answer_of_a_correspondent_is_mail_in_the_thread(gateway, bob_to_alice, sent, references):
    bring(gateway, sent, vacation(sent, references=references))
    told = receive_part(bob_to_alice, "I am away until")
    assert told["body"].startswith("_This is an automatic message._")
    gateway.wait_settled()
    assert any("answered: by in" in line for line in story(gateway, "out1"))
    bob_to_alice.post(BOB, "Never mind", thread=told["threadid"])
    later = wait_until("the next mail leaves", lambda: read_maildir(gateway.maildir)[1:])[0]
    assert sent["Message-ID"] in later["References"], "it is in the thread of what it answers"


def test_answer_that_is_not_proven_is_told_as_such(gateway, bob_to_alice, sent):
    bring(gateway, sent, vacation(sent, proven=False, body="````\n# I am away\n"), sender="whoever@example.net")
    told = receive_part(bob_to_alice, "could not be verified")
    assert "- ` From: bob@example.com `\n- ` Subject: Out of office `\n\n`````\n````\n# I am away\n" in told["body"]
    for number in range(4):
        bring(gateway, sent, vacation(sent, proven=False, body=f"Number {number}\n"))
    gateway.wait_settled()
    assert count_told(bob_to_alice, "could not be verified") == 3, "three a day"


def test_answer_of_a_stranger_is_told_as_such(gateway, bob_to_alice, sent):
    """Proven, but nobody who may write to Alice."""
    bring(gateway, sent, vacation(sent, sender="mallory@example.org"))
    told = receive_part(bob_to_alice, "could not be verified")
    assert "mallory@example.org" in told["body"]


def test_answer_in_a_thread_of_two_is_its_author_s(gateway, bob_to_alice, sent_to_two):
    bring(gateway, sent_to_two, vacation(sent_to_two, sender=DAVE))
    receive_part(bob_to_alice, "I am away until")


# The relay and its reports at the same time.

class Dawdler(socketserver.ThreadingTCPServer):
    """A relay that takes the first message and loses its answer to it, and answers the second when it is told to."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), DawdlerSession)
        self.port = self.server_address[1]
        self.answer = answer
        self.senders = []
        self.goes_on = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.goes_on.set()
        self.shutdown()
        self.server_close()


class DawdlerSession(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 dawdler.test\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"MAIL":
                self.server.senders.append(line.decode().split("<")[1].split(">")[0])
            self.wfile.write(b"354 go on\r\n" if verb == b"DATA" else b"250 2.0.0 ok\r\n")
            if verb != b"DATA":
                continue
            while self.rfile.readline() not in (b".\r\n", b""):
                pass
            if len(self.server.senders) == 1:
                return
            self.server.goes_on.wait()
            self.wfile.write(self.server.answer + b"\r\n")


@pytest.fixture
def dawdle(stopped_gateway, alice):
    """Starts with a relay that gives this answer; returns it when Alice's message is with it for the second time."""
    relays = []

    def start(answer, *recipients):
        relay = Dawdler(answer)
        relays.append(relay)
        stopped_gateway.relay = f"smtp://127.0.0.1:{relay.port}"
        stopped_gateway.warn_after = "1s"   # what is late is told as such, too
        stopped_gateway.start()
        stopped_gateway.introduce(alice, "alice")
        for address in recipients:
            stopped_gateway.open_door(address, alice)
        alice.post(list(recipients), "Are you there?", subject="A question")
        wait_until("the second attempt is under way", lambda: len(relay.senders) == 2)
        alice.receive(wait=1)
        relay.mail = {"Return-Path": relay.senders[0], "Message-ID": "<1@example.com>"}
        return relay

    yield start
    for relay in relays:
        relay.close()


@pytest.mark.parametrize("answer", (b"550 5.1.1 no such user", b"450 4.2.0 not now", b"250 2.0.0 ok"))
def test_failure_is_told_once_when_a_report_overtakes_the_relay(dawdle, stopped_gateway, alice, answer):
    """The report about the first attempt comes while the second one is under way."""
    gateway, relay = stopped_gateway, dawdle(answer, BOB)
    before = len(alice.mails())   # that it is late, perhaps
    bring(gateway, relay.mail, make_report(relay.mail))
    receive_part(alice, "could not be delivered by email:")
    relay.goes_on.set()
    gateway.wait_settled()
    alice.receive(wait=1)
    assert len(alice.mails()) == before + 1
    assert any("a report has said before that it failed" in line for line in story(gateway, "out1"))


def test_failure_of_one_of_two_is_told_once_when_a_report_overtakes_the_relay(dawdle, stopped_gateway, alice):
    """Nothing is ended by a report to the address that both were told; but what it has said is not told again."""
    gateway, relay = stopped_gateway, dawdle(b"550 5.1.1 nobody of them", BOB, DAVE)
    bring(gateway, relay.mail, make_report(relay.mail))
    receive_part(alice, "could not be delivered by email:")
    relay.goes_on.set()
    gateway.wait_settled()
    alice.receive(wait=1)
    told = [item["body"] for item in alice.mails() if "could not be delivered by email:" in item["body"]]
    assert [f"` {BOB} `" in body for body in told] == [True, False]
    assert [f"` {DAVE} `" in body for body in told] == [False, True]


# An older database.

def test_reply_to_a_message_from_before_a_backup_is_told(gateway, bob_to_alice, sent):
    """Its Message-ID is one that only we can have made; and its return address is about nothing that there is."""
    gateway.stop()
    subprocess.run(["sqlite3", os.path.join(gateway.state, "postern.db"),
                    "PRAGMA foreign_keys = OFF; DELETE FROM message; DELETE FROM outbound_recipient; DELETE FROM outbound;"], check=True)
    gateway.start()
    gateway.wait_online()
    assert "the message that this would be a report about is not known here" in refused_at_rcpt(gateway, return_path(sent))
    send_mail(gateway.smtp_port, make_mail("Re: A question", "Yes\n", references=[sent["Message-ID"]]))
    bob_to_alice.receive_mail("Re: A question")
    assert any(line.startswith("answers: ") and sent["Message-ID"] in line for line in story(gateway, "in1"))


# Crashes.

class Fragile(Gateway):
    """Its convert workers crash of what has a line "X-Worker: crash" (crashes.c)."""

    def launch_environment(self):
        return {**sanitizer_environment(self.folder), "LD_PRELOAD": os.path.join(DEV, "postern_crashes.so"), "POSTERN_CRASHES": "1"}


def test_report_that_no_worker_survives_is_told_as_unclear(folder):
    """Its author learns that something came back, and an honest report after it is read."""
    silo = Silo(folder, RELEASE)
    silo.start()
    gateway = Fragile(folder, silo.port, RELEASE)
    try:
        gateway.start()
        alice = Member(folder, silo, "Alice Member", RELEASE)
        gateway.introduce(alice, "alice")
        gateway.open_door(BOB, alice)
        alice.post(BOB, "Are you there?", subject="A question")
        mail = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
        bring(gateway, mail, b"X-Worker: crash\r\n" + make_report(mail))
        told = receive_part(alice, "it could not be read")
        assert told["subject"] == "Unclear delivery"
        gateway.wait_settled()
        assert any("its author was told so" in line for line in story(gateway, "in1"))
        bring(gateway, mail, make_report(mail, number=2))
        receive_part(alice, "could not be delivered by email:")
    finally:
        gateway.stop()
        silo.stop()


def test_report_whose_content_is_gone_waits_for_an_administrator(gateway, bob_to_alice, sent):
    """Stored and not yet read when the daemon was killed; then somebody removed the file."""
    folder = os.path.join(gateway.state, "content")
    known = set(os.listdir(folder))
    workers = descendants(gateway.process.pid)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    bring(gateway, sent, make_report(sent) + b"x" * 300000 + b"\r\n")
    gateway.kill()
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    new, = set(os.listdir(folder)) - known
    os.unlink(os.path.join(folder, new))
    gateway.start()
    number = next(item["id"] for item in wait_until("it is set aside", lambda: [one for one in gateway.queue("in") if one["state"] == "held"]))
    assert any("given up: its content is missing from state_dir" in line for line in story(gateway, str(number)))


def test_reports_survive_kills_and_are_told_once(gateway, bob_to_alice):
    """kill -9 while reports are taken, read, noted and told: each is told once in the end."""
    seed = int(os.environ.get("POSTERN_SEED", random.randrange(10**6)))
    print(f"POSTERN_SEED={seed}")
    moments = random.Random(seed)
    for number in range(4 * KILLS):
        bob_to_alice.post(BOB, f"Message {number}", subject=f"Subject {number}")
    mails = wait_until("the mails leave", lambda: len(read_maildir(gateway.maildir)) == 4 * KILLS and read_maildir(gateway.maildir))
    for number, mail in enumerate(mails):
        bring(gateway, mail, make_report(mail, recipient(diagnostic=f"550 number-{number}-")))
        if number % 4 == 3:
            time.sleep(moments.uniform(0, 0.3))
            gateway.kill()
            gateway.start()
    gateway.wait_online()
    gateway.ctl("queue", "retry", "all")
    gateway.wait_settled()
    bob_to_alice.receive(wait=2)
    for number in range(len(mails)):
        assert sum(f"number-{number}-" in item["body"] for item in bob_to_alice.mails()) == 1
