"""Postfix hands mail to the gateway, in each way that docs/postfix.md shows: what becomes of it, and of each recipient."""
import errno
import email.message
import email.policy
import os
import smtplib

import pytest

from conftest import needs_root, run_instance
from documents import adapt, block, postfix_block
from mail import ALICE, BOB, make_mail, plain_text, send
from postern import AUTHSERV_ID, DOMAIN, Member
from postfix import Front, Smarthost
from procs import PATIENCE, RELEASE, wait_until
from test_content import FaultyGateway

LMTP_TCP = "# main.cf: mail for the silo's domain goes to Postern, by LMTP over TCP"
LMTP_SOCKET = "# main.cf: mail for the silo's domain goes to Postern, by LMTP through a socket"
SMTP = "# main.cf: mail for the silo's domain goes to Postern, by SMTP"
UNICODE_BOB = "bøb@example.com"


def front_by_lmtp(gateway):
    return Front(postfix_block(LMTP_TCP, _2424=gateway.lmtp_port))


def front_by_socket(gateway):
    front = Front(block("docs/postfix.md", LMTP_SOCKET))
    gateway.extra += adapt(block("docs/postfix.md", "# postern.conf: a socket in Postfix's folder"), {
        "/var/spool/postfix/postern": front.make_socket_folder("postern"),
        "mx.example.org": AUTHSERV_ID,
    })
    return front


def front_by_smtp(gateway):
    return Front(postfix_block(SMTP, _2525=gateway.smtp_port), block("docs/postfix.md", "# master.cf: SMTP to Postern"))


@pytest.fixture(params=[front_by_lmtp, front_by_socket, front_by_smtp], ids=["lmtp", "socket", "smtp"])
def front(request, stopped_gateway):
    needs_root()
    yield from run_instance(request.param(stopped_gateway), request)


@pytest.fixture
def people(stopped_gateway, silo, folder, request):
    """Alice, whom Bob may write to, and others who differ."""
    if "front" in request.fixturenames:
        request.getfixturevalue("front")
    stopped_gateway.start()
    members = {name: Member(folder, silo, f"{name.title()} Member") for name in ("alice", "carol", "dave", "erin")}
    for name in ("alice", "carol", "dave"):
        stopped_gateway.introduce(members[name], name)
    stopped_gateway.ctl("member", "add", "Erin Member", "--address", "erin")
    stopped_gateway.open_door(BOB, members["alice"])
    return members


def only(mails):
    """The subjects of mails, and that there is none twice."""
    subjects = [mail["subject"] for mail in mails]
    assert len(subjects) == len(set(subjects)), subjects
    return subjects


def test_each_recipient_has_an_outcome_of_its_own(front, people, stopped_gateway):
    """One mail to four: delivered, bounced, and retried (refused for now at RCPT, and after the data) until delivered."""
    gateway = stopped_gateway
    first = gateway.ctl_json("mapping", "add", BOB, "Carol Member", "--daily", "1")
    gateway.ctl("mapping", "add", "somebody.else@example.com", "Dave Member")
    gateway.ctl("mapping", "add", BOB, "Erin Member")
    send(gateway.smtp_port, make_mail("Carol's mail of the day"), recipients=[f"carol@{DOMAIN}"])
    addresses = [f"{name}@{DOMAIN}" for name in ("alice", "dave", "carol", "erin")]
    send(front.port, make_mail("For four", proven=False), recipients=addresses)

    people["alice"].receive_mail("For four")
    wait_until("two are tried again", lambda: all(front.statuses().get(address, []).count("deferred") >= 2 for address in addresses[2:]))
    statuses = front.statuses()
    assert statuses[addresses[0]] == ["sent"]
    assert statuses[addresses[1]] == ["bounced"]
    log = front.read_log()
    assert "said: 550 5.7.1 <bob@example.com> is not authorised to write to <dave@" in log
    assert "said: 452 4.2.1 <bob@example.com> has reached the daily limit" in log
    assert "said: 450 4.2.1 <erin@" in log and "has not yet agreed" in log

    gateway.ctl("mapping", "change", str(first["id"]), "--daily", "10")   # in one step: it is tried all the time
    people["erin"].ping(gateway.alias, "Yes")
    front.drain()
    people["carol"].receive_mail("For four")
    people["erin"].receive_mail("For four")
    wait_until("its log says so", lambda: [front.statuses()[address][-1] for address in addresses] == ["sent", "bounced", "sent", "sent"])
    people["alice"].receive(wait=1)
    assert only(people["alice"].mails()) == ["For four"]


def test_stopped_gateway_gets_its_mail_later(front, people, stopped_gateway):
    stopped_gateway.stop()
    send(front.port, make_mail("While it was stopped", proven=False))
    wait_until("Postfix waits", lambda: "deferred" in front.statuses().get(ALICE, []))
    stopped_gateway.start()
    front.drain()
    people["alice"].receive_mail("While it was stopped")
    assert only(people["alice"].mails()) == ["While it was stopped"]


def test_eight_bits_arrive_as_they_were_sent(front, people):
    mail = make_mail("Grüße", "Größe: ≥ 8 Bit\n", proven=False).as_string(policy=email.policy.SMTP.clone(cte_type="8bit", utf8=False))
    data = mail.replace("\n", "\r\n").replace("\r\r\n", "\r\n").encode("utf-8", "surrogateescape")
    data = data.replace(b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: 8bit")
    head, _, _ = data.partition(b"\r\n\r\n")
    data = head + b"\r\n\r\nGr\xc3\xb6\xc3\x9fe: \xe2\x89\xa5 8 Bit\r\n"
    assert b"8bit" in data
    send(front.port, data)   # with BODY=8BITMIME
    received = people["alice"].receive_mail("Grüße")
    assert "Größe: ≥ 8 Bit" in received["body"]


def unicode_mail(subject, sender=UNICODE_BOB, recipient=ALICE):
    policy = email.policy.SMTPUTF8
    message = email.message.EmailMessage(policy=policy)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = f"<{subject.split()[0]}.{os.urandom(6).hex()}@example.com>"
    message.set_content("Hello\n")
    return message.as_bytes()


def test_address_that_is_not_ascii_comes_in(front, people, stopped_gateway):
    stopped_gateway.open_door(UNICODE_BOB, people["alice"])
    with smtplib.SMTP("127.0.0.1", front.port, timeout=PATIENCE) as smtp:
        smtp.sendmail(UNICODE_BOB, [ALICE], unicode_mail("Unicode ü"), mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    received = people["alice"].receive_mail("Unicode ü")
    assert received["alias"] == UNICODE_BOB


# A gateway in trouble: what it has not taken Postfix keeps.


@pytest.fixture
def faulty(folder, silo):
    server = FaultyGateway(folder, silo.port, RELEASE)
    server.start()
    alice = Member(folder, silo, "Alice Member")
    server.introduce(alice, "alice")
    server.open_door(BOB, alice)
    server.alice = alice
    yield server
    server.stop()


@pytest.fixture
def faulty_front(faulty, request):
    needs_root()
    yield from run_instance(front_by_lmtp(faulty), request)


@pytest.mark.parametrize("fault, body, reply", [
    (f"room:1:{errno.EIO}", "short\n", "452 4.3.1"),
    (f"sync:1:{errno.ENOSPC}", "a long line of some text\n" * 20000, "451 4.3.0"),
    (f"commit:1:{errno.EIO}", "a long line of some text\n" * 20000, "451 4.3.0"),
], ids=["no-room", "disk-full", "database"])
def test_trouble_of_the_moment_is_waited_out(faulty, faulty_front, fault, body, reply):
    faulty.restart(fault)
    send(faulty_front.port, make_mail("At a bad time", body, proven=False))
    faulty_front.drain()
    faulty.alice.receive_mail("At a bad time")
    # Its log is written by another process of Postfix, perhaps later.
    wait_until("its log says so", lambda: faulty_front.statuses().get(ALICE, [None])[-1] == "sent")
    assert f"said: {reply}" in faulty_front.read_log()
    assert faulty_front.statuses()[ALICE][0] == "deferred"
    assert only(faulty.alice.mails()) == ["At a bad time"]


# Out: through the relay that docs/postfix.md shows.


class Relay(Smarthost):
    def __init__(self, settings=""):
        super().__init__()
        self.configure(block("docs/postfix.md", "# main.cf: mail from this machine is sent out") + settings)


@pytest.fixture(params=["yes", "no"])
def relay(request, stopped_gateway):
    needs_root()
    relay = Relay(f"smtputf8_enable = {request.param}\n")
    relay.smtputf8 = request.param == "yes"
    yield from run_instance(relay, request)


def test_answers_leave_through_the_relay(relay, stopped_gateway, alice):
    """Also to an address that is not ASCII, if the relay can; else the member is told so, in the thread."""
    gateway = stopped_gateway
    # In the place of the fixture's own section, or it would be a second relay.
    gateway.relay = postfix_block("# postern.conf: members' mail leaves through this machine's Postfix", _25=relay.port).split('"')[1]
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    gateway.open_door(UNICODE_BOB, alice)
    alice.post(BOB, "Zum Größten", subject="Grüße")
    mail = wait_until("the mail is relayed", relay.mails)[0]
    assert mail["Subject"] == "Grüße" and "Zum Größten" in plain_text(mail)

    alice.post(UNICODE_BOB, "To whom it may concern", subject="Unicode")
    if relay.smtputf8:
        mails = wait_until("the second mail is relayed", lambda: relay.mails()[1:] and relay.mails())
        assert any(UNICODE_BOB in str(mail["To"]) for mail in mails)
    else:
        notice = alice.receive_where("the notice", lambda item: item["op"] == "delivery" and "internationalised addresses" in item["body"])
        assert UNICODE_BOB in notice["body"]
        assert len(relay.mails()) == 1
    gateway.wait_settled()
