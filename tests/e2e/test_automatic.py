"""What programs write: marked for the member, counted, and never answered in circles."""
import email
import email.policy
import queue
import smtplib
import socketserver
import threading

import pytest

from bare import BareMember
from mail import ALICE, BOB, make_mail
from postfix import read_maildir
from postern import DOMAIN, Member
from procs import RELEASE, wait_until
from reports import reports_in, send, story, wait_report

CAROL = f"carol@{DOMAIN}"
MARK = "_This is an automatic message._\n\n"


def automatic(subject, **fields):
    mail = make_mail(subject, body="I am away.\n")
    for name, value in (fields or {"Auto-Submitted": "auto-replied"}).items():
        mail[name.replace("_", "-")] = value
    return mail


@pytest.mark.parametrize("fields, marked", [
    ({"Auto-Submitted": "auto-replied"}, True),
    ({"Precedence": "bulk"}, True),
    ({"X-Autoreply": "yes"}, True),
    ({"Auto-Submitted": "no"}, False),
    ({"Precedence": "bulk", "List-Id": "<team.example.com>"}, False),
    ({"X-Auto-Response-Suppress": "All"}, False),
], ids=str)
def test_automatic_mail_says_so_in_its_first_line(gateway, bob_to_alice, fields, marked):
    send(gateway.smtp_port, automatic("Away", **fields))
    assert bob_to_alice.receive_mail("Away")["body"] == (MARK if marked else "") + "I am away.\n"


def test_more_automatic_mail_of_a_pair_than_allowed_is_refused_for_good_and_peoples_is_not(stopped_gateway, alice):
    gateway = stopped_gateway
    gateway.policy_extra = "automatic_per_hour = 2"
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    gateway.open_door("dave@example.com", alice)
    first = automatic("Away 1")
    for mail in (first, automatic("Away 2")):
        assert send(gateway.smtp_port, mail).startswith("250 2.6.0 accepted as")
    reply = send(gateway.smtp_port, automatic("Away 3"))
    assert reply.startswith("554 5.4.6") and f"too many automatic messages from <{BOB}> to <{ALICE}>" in reply
    assert send(gateway.smtp_port, first).startswith("250 2.6.0 accepted before as in1"), "a repetition is not another one"
    for number in range(5):
        assert send(gateway.smtp_port, make_mail(f"By hand {number}")).startswith("250"), "people's mail is not counted"
    other = make_mail("Of somebody else", sender="dave@example.com")
    other["Auto-Submitted"] = "auto-generated"
    assert send(gateway.smtp_port, other, sender="dave@example.com").startswith("250")


class Autoresponder(socketserver.ThreadingTCPServer):
    """The relay, and a program behind it that answers every mail that it gets, whatever it says of itself."""
    daemon_threads = allow_reuse_address = True

    class Session(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 relay.test\r\n")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                self.wfile.write(b"354 go on\r\n" if verb == b"DATA" else b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"DATA":
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    self.server.mails.put(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
                    self.wfile.write(b"250 ok\r\n")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Session)
        self.mails = queue.Queue()
        self.received, self.answers = [], []   # the second: what was said to each answer of its own
        self.gateway_port = None
        for work in (self.serve_forever, self.answer_all):
            threading.Thread(target=work, daemon=True).start()

    def answer_all(self):
        while True:
            mail = self.mails.get()
            self.received.append(mail)
            author = mail["From"].addresses[0].addr_spec
            answer = automatic(f"Away: {len(self.received)}")
            answer["In-Reply-To"] = mail["Message-ID"]
            try:
                self.answers.append(send(self.gateway_port, answer, recipients=(author,)))
            except (AssertionError, smtplib.SMTPException) as error:   # refused at RCPT
                self.answers.append(str(error))


@pytest.fixture
def autoresponder(stopped_gateway):
    server = Autoresponder()
    stopped_gateway.relay = f"smtp://127.0.0.1:{server.server_address[1]}"
    server.gateway_port = stopped_gateway.smtp_port
    yield server
    server.shutdown()
    server.server_close()


def test_two_programs_that_answer_each_other_die_out(autoresponder, stopped_gateway, silo):
    """Bob's answers whatever comes, and one of Alice's in the silo answers each message in its thread."""
    gateway, limit = stopped_gateway, 5
    gateway.policy_extra = f"automatic_per_hour = {limit}"
    gateway.start()
    alice = BareMember(silo.port, "Alice Member")
    try:
        gateway.introduce(alice, "alice")
        gateway.ctl("mapping", "add", BOB, "Alice Member")
        wait_until("the member knows the correspondent", lambda: BOB in alice.uids)
        send(gateway.smtp_port, make_mail("Hello"))
        answered = 0

        def play():
            nonlocal answered
            alice.check()
            for msgid, second, _ in alice.deliveries[answered:]:
                answered += 1
                alice.post(BOB, "", "I am a program, too.", thread=second.get("ThreadId") or msgid)
            return any("5.4.6" in answer for answer in autoresponder.answers)

        wait_until("a mail is refused", play)
        gateway.wait_settled()
        wait_until("Bob's program is done", lambda: len(autoresponder.answers) == len(autoresponder.received))
        assert len(alice.deliveries) == 1 + limit, "the mail of a person, and as many of a program as may come"
        assert len(autoresponder.received) == 1 + limit
        assert [answer[:3] for answer in autoresponder.answers] == ["250"] * limit + ["554"]
    finally:
        alice.stopping = True


def test_reports_are_not_answered_in_circles(autoresponder, stopped_gateway, alice):
    """A program that answers even a report finds nobody there."""
    gateway = stopped_gateway
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    send(gateway.smtp_port, make_mail("Did you get it?"), "SUCCESS")
    wait_until("the report is answered", lambda: autoresponder.answers)
    gateway.wait_settled()
    assert len(autoresponder.received) == 1 and autoresponder.received[0].get_content_type() == "multipart/report"
    assert autoresponder.received[0]["X-Postern-Loop"] and autoresponder.received[0]["Auto-Submitted"] == "auto-replied"
    assert "no such recipient" in autoresponder.answers[0]


def test_mail_of_ours_that_comes_back_is_refused(gateway, bob_to_alice):
    """Bob's mailbox sends everything on to Alice."""
    send(gateway.smtp_port, make_mail("Hello"))
    thread = bob_to_alice.receive_mail("Hello")["threadid"]
    bob_to_alice.post(BOB, "And hello to you", thread=thread)
    [sent] = wait_until("it leaves", lambda: read_maildir(gateway.maildir))
    again = make_mail("Re: Hello")
    again["X-Postern-Loop"] = sent["X-Postern-Loop"]
    assert send(gateway.smtp_port, again).startswith("554 5.4.6")


# Of our own reports.

@pytest.fixture
def carol(gateway, bob_to_alice, silo, folder):
    """A second member, whom Dave may write to, but not Bob."""
    member = Member(folder, silo, "Carol Member")
    gateway.introduce(member, "carol")
    gateway.open_door("dave@example.net", member)
    return member


def test_whom_one_may_not_write_to_is_told_once_in_an_hour_unless_asked_for(gateway, bob_to_alice, carol):
    for number in range(3):
        send(gateway.smtp_port, make_mail(f"For both {number}"), recipients=(ALICE, CAROL))
        bob_to_alice.receive_mail(f"For both {number}")
    gateway.wait_settled()
    wait_report(gateway.maildir)
    assert any(line.startswith(f"refused: for {CAROL}: ") and "not reported: too many reports" in line for line in story(gateway, "in2"))
    send(gateway.smtp_port, make_mail("For both, and tell me"), "FAILURE", recipients=(ALICE, CAROL))
    wait_until("it is reported", lambda: len(reports_in(gateway.maildir)) == 2)


@pytest.mark.parametrize("stopped_gateway", [RELEASE], indirect=True)
def test_an_address_gets_only_so_many_reports_in_an_hour_and_no_failure_is_forgotten(gateway, bob_to_alice, silo):
    """More mails of Bob's fail together: the reports that are too many come later; what he asks for comes at once."""
    silo.kill()
    for number in range(65):
        send(gateway.smtp_port, make_mail(f"Expires {number}"))
    send(gateway.smtp_port, make_mail("Tell me"), "FAILURE")
    gateway.stop()
    gateway.give_up = "1s"
    gateway.start()
    wait_until("the first have gone back", lambda: len(reports_in(gateway.maildir)) >= 61)
    assert len(gateway.queue("in")) == 5, "the others wait"
    assert len(reports_in(gateway.maildir)) == 61
