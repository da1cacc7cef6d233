"""Mail of people about whom nobody has decided: kept sealed, asked about once, and let in, sent back or forgotten."""
import errno
import glob
import json
import os
import smtplib

import pytest

from faulty import FaultyGateway
from mail import ALICE, BOB, make_mail
from postern import DOMAIN, GATEWAY_ALIAS, Member, Silo, close_quietly
from procs import RELEASE, wait_until
from reports import reports_in, send, story, wait_report

CAROL = f"carol@{DOMAIN}"
SECRET = "Xylophone-secret"
LARGE = "a long line of text that nobody reads\n" * 10000


@pytest.fixture
def holding(stopped_gateway, alice):
    """A gateway that holds what strangers write, and a member of it."""
    stopped_gateway.policy_extra = "unknown_senders = hold"
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    return stopped_gateway


def send_mail(gateway, subject, sender=BOB, text=SECRET, **options):
    return send(gateway.smtp_port, make_mail(subject, text, sender=sender), **{"sender": sender, **options})


def hold(gateway, *arguments, **options):
    """Sends a mail that is held; its entry's id."""
    answer = send_mail(gateway, *arguments, **options)
    assert answer.startswith("250 2.6.0 held for approval as in"), answer
    return answer.split()[-1]


def refusal(gateway, **options):
    """Of a mail that is not taken: what RCPT, or the end of data, is answered."""
    try:
        return send_mail(gateway, "Not taken", **options)
    except AssertionError as error:
        return str(error)


def held(gateway):
    return [entry["id"] for entry in gateway.ctl_json("held", "list")["held"]]


def requests(gateway):
    return gateway.ctl_json("mapping", "list", "--state", "requested")["mappings"]


def approve(gateway, *options):
    gateway.ctl("mapping", "approve", str(requests(gateway)[0]["id"]), *options)


def everything_on_disk(gateway):
    found = b""
    for path in glob.glob(os.path.join(gateway.state, "**"), recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                found += file.read()
    return found


def first_contacts(member):
    return [item["body"] for item in member.inbox if item["op"] == "ping" and item["alias"] == GATEWAY_ALIAS and item["body"].startswith("Held:")]


def test_a_stranger_is_held_asked_about_and_let_in(holding, alice):
    first = hold(holding, "Hello from " + SECRET)
    second = hold(holding, "Second", text=LARGE)
    assert held(holding) == [first, second]
    page = holding.ctl_json("held", "list", "--limit", "1")
    assert [entry["id"] for entry in page["held"]] == [first] and page["more_after"] == first and page["total"] == 2
    assert [entry["id"] for entry in holding.ctl_json("held", "list", "--after", first)["held"]] == [second]
    assert holding.ctl_json("held", "show", first)["envelope_sender"] == BOB
    alice.receive_where("the first contact", lambda item: item["op"] == "ping" and BOB in item["body"])
    disk = everything_on_disk(holding)   # who wrote it shows, and nothing of what it says
    assert BOB.encode() in disk and SECRET.encode() not in disk and b"nobody reads" not in disk and b"e2e." not in disk
    assert len(requests(holding)) == 1
    approve(holding)
    alice.receive_mail("Second")
    assert [mail["subject"] for mail in alice.mails()] == ["Hello from " + SECRET, "Second"]
    assert SECRET in alice.mails()[0]["body"] and alice.mails()[0]["alias"] == BOB
    assert first_contacts(alice) == [f'Held: mail from {BOB}, "Hello from {SECRET}". To ask that they may write to you, answer: invite {BOB}']
    holding.wait_settled()
    assert held(holding) == [] and not os.listdir(os.path.join(holding.state, "content"))
    events = [line.split(":")[0] for line in story(holding, first)]
    assert events[:5] == ["received", "proven", "held", "released", "opened"] and events[-1] == "posted"
    send_mail(holding, "Third")   # now like anybody
    alice.receive_mail("Third")
    nobodys = "bob@" + ".".join("abcdefghijklmnopqrstu") + ".example"   # so deep that no mapping could be about it
    assert "is not authorised" in refusal(holding, sender=nobodys) and held(holding) == []


def test_an_admin_in_the_silo_lets_a_stranger_in(stopped_gateway, alice):
    stopped_gateway.policy_extra = 'unknown_senders = hold\n  admins = { "Alice Member" }'
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    hold(stopped_gateway, "Hello")
    alice.ping(GATEWAY_ALIAS, f"approve {requests(stopped_gateway)[0]['id']}")
    alice.receive_mail("Hello")


def test_who_is_turned_down_hears_of_it_but_gets_nothing_back(holding):
    message = make_mail("Hello", SECRET)
    entry = send(holding.smtp_port, message, ret="FULL").split()[-1]
    holding.ctl("mapping", "deny", str(requests(holding)[0]["id"]), "--reason", "not a partner")
    report = wait_report(holding.maildir)
    assert report.status_of(ALICE)["Status"] == "5.7.1" and report.original is None
    assert report.message["References"] == message["Message-ID"]
    assert SECRET not in report.message.as_string() and "not a partner" not in report.message.as_string()
    assert held(holding) == []
    assert any(line.startswith("refused: ") and "not a partner" in line for line in story(holding, entry))
    assert "not authorised" in refusal(holding)


def test_an_administrator_looks_into_held_mail_and_that_is_written_down_first(holding, alice):
    message = make_mail("Hello from " + SECRET, f"The {SECRET} is here.\nstate: approved\x1b[2J\n" + LARGE)
    message.add_attachment(os.urandom(300000), maintype="application", subtype="pdf", filename="plan.pdf")
    entry = send(holding.smtp_port, message).split()[-1]
    seen = holding.ctl_json("held", "read", entry)
    assert seen["text"].startswith(f"The {SECRET} is here.") and seen["attachments"] == [{"name": "plan.pdf", "size": 300000}]
    assert seen["text_cut"] and len(seen["text"]) < seen["text_size"] and len(seen["text"]) <= 256 * 1024
    assert seen["id"] == entry and seen["from"] == BOB and seen["understood"]
    printed = holding.ctl("held", "read", entry)
    assert f"\n  The {SECRET} is here." in printed and "\nstate: approved" not in printed and "\x1b" not in printed
    looks = holding.ctl_json("audit", "list", "--object", entry)["audit"]
    assert [row["action"] for row in looks] == ["held.read"] * 2 and "uid" in looks[0]["actor"]
    assert any("An administrator has looked at what it says" in paragraph["text"] for paragraph in holding.ctl_json("why", entry)["story"])
    kept = everything_on_disk(holding) + holding.read_log().encode() + json.dumps([looks, holding.ctl_json("why", entry)["trace"]]).encode()
    assert SECRET.encode() not in kept and b"plan.pdf" not in kept and b"nobody reads" not in kept
    assert held(holding) == [entry]   # looking decides nothing
    holding.ctl("held", "drop", entry, "--reason", "seen enough")
    assert "is not held for approval" in holding.ctl("held", "read", entry, expect=1)


def test_the_limits_of_an_approval_count_for_what_was_held(holding, alice):
    hold(holding, "Plain")
    message = make_mail("With a program", SECRET)
    message.add_attachment(b"MZ\x90\x00" + b"\0" * 60, maintype="application", subtype="octet-stream", filename="setup.exe")
    refused = send(holding.smtp_port, message).split()[-1]
    hold(holding, "Later")
    approve(holding, "--attachments", "pdf", "--daily", "1")   # how many a day is for what comes now
    alice.receive_mail("Later")
    assert [mail["subject"] for mail in alice.mails()] == ["Plain", "Later"]
    report = wait_report(holding.maildir)
    assert "setup.exe" in report.text and report.status_of(ALICE)["Status"] == "5.7.1" and report.original is None
    assert any("setup.exe" in line for line in story(holding, refused))


def test_what_nobody_decides_about_comes_back(stopped_gateway, alice):
    stopped_gateway.policy_extra = 'unknown_senders = hold\n  hold_for = "1s"'
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    entry = hold(stopped_gateway, "Hello")
    silent = hold(stopped_gateway, "Quiet", notify="NEVER")
    slow = hold(stopped_gateway, "Slow", notify="DELAY")   # of a failure they don't want to hear
    report = wait_report(stopped_gateway.maildir)
    assert "decided in time" in report.text and report.status_of(ALICE)["Status"] == "5.7.1"
    wait_until("both are over", lambda: held(stopped_gateway) == [])
    for name in (entry, silent, slow):
        assert any(line.startswith("expired:") for line in story(stopped_gateway, name))
    assert len(reports_in(stopped_gateway.maildir)) == 1


def test_one_reply_for_those_who_get_it_and_those_who_are_asked(holding, alice, folder, silo):
    carol = Member(folder, silo, "Carol Member")
    holding.introduce(carol, "carol")
    holding.ctl("mapping", "add", BOB, "Alice Member")
    answer = send_mail(holding, "For both", recipients=(ALICE, CAROL))
    assert answer.startswith("250 2.6.0 accepted as in"), answer
    alice.receive_mail("For both")
    assert len(held(holding)) == 1
    with smtplib.LMTP("127.0.0.1", holding.lmtp_port) as client:   # each has a reply of their own
        client.ehlo("client.test")
        client.mail(BOB)
        client.rcpt(ALICE)
        client.rcpt(CAROL)
        client.putcmd("data")
        assert client.getreply()[0] == 354
        client.send(make_mail("On LMTP").as_bytes() + b"\r\n.\r\n")
        answers = [client.getreply()[1].decode() for _ in range(2)]
    assert "accepted as in" in answers[0] and "held for approval as in" in answers[1]
    approve(holding)
    carol.receive_mail("For both")
    carol.receive_mail("On LMTP")


def test_nobody_fills_what_is_held(stopped_gateway, alice):
    stopped_gateway.policy_extra = ('unknown_senders = hold\n  hold_messages = 4\n  hold_sender_messages = 2\n  hold_domain_messages = 3\n'
                                    '  hold_size = "4M"\n  hold_sender_size = "1M"')
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    same = make_mail("Same", SECRET)
    first = send(stopped_gateway.smtp_port, same)
    assert send(stopped_gateway.smtp_port, same) == first.replace("approval as", "approval before as") + ", not delivered again"
    hold(stopped_gateway, "Two")
    assert send_mail(stopped_gateway, "Three").startswith("452 4.2.1 enough mail of")
    hold(stopped_gateway, "Another", sender="rob@example.com")
    assert send_mail(stopped_gateway, "And another", sender="tom@example.com").startswith("452 4.2.1 enough mail from that domain")
    assert send_mail(stopped_gateway, "Large", sender="eve@other.example", text=LARGE * 4).startswith("552 5.3.4")
    hold(stopped_gateway, "Last", sender="eve@other.example")
    assert send_mail(stopped_gateway, "No more", sender="eve@third.example").startswith("452 4.3.1")
    assert stopped_gateway.ctl_json("held", "list")["total"] == 4


def test_nobody_fills_what_is_held_with_names_of_their_own(stopped_gateway, alice):
    stopped_gateway.policy_extra = 'unknown_senders = hold\n  hold_domain_messages = 3\n  hold_domain_size = "1M"'
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    hold(stopped_gateway, "One", sender="a@one.example.co.uk")
    hold(stopped_gateway, "Two", sender="b@two.below.example.co.uk", text=LARGE)   # whoever owns a domain has names below it
    assert send_mail(stopped_gateway, "Large", sender="c@three.example.co.uk", text=LARGE * 2).startswith("452 4.2.1 enough mail from that domain")
    assert send_mail(stopped_gateway, "Never", sender="c@three.example.co.uk", text=LARGE * 4).startswith("552 5.3.4")
    hold(stopped_gateway, "Three", sender="c@example.co.uk")
    assert send_mail(stopped_gateway, "Four", sender="d@four.example.co.uk").startswith("452 4.2.1 enough mail from that domain")
    hold(stopped_gateway, "Another's", sender="e@other.co.uk")


def test_recipients_of_one_mail_count_by_themselves(holding, alice, folder, silo):
    carol = Member(folder, silo, "Carol Member")
    holding.introduce(carol, "carol")
    both = {"recipients": (ALICE, CAROL)}
    for most, answer in ((1, "552 5.3.4"), (2, "250 2.6.0 held for approval"), (3, "452 4.2.1")):
        holding.policy_extra = f"unknown_senders = hold\n  hold_sender_messages = {most}"
        holding.write_config()
        holding.ctl("reload")
        assert send_mail(holding, str(most), **both).startswith(answer)
    assert len(held(holding)) == 2


def test_without_its_key_held_mail_stays(stopped_gateway, alice):
    holding = stopped_gateway
    holding.policy_extra = 'unknown_senders = hold\n  admins = { "Alice Member" }'
    holding.start()
    holding.introduce(alice, "alice")
    hold(holding, "Hello")
    key = os.path.join(holding.state, "hold.key")
    assert os.stat(key).st_mode & 0o777 == 0o600
    holding.stop()
    os.rename(key, key + ".away")   # as in a backup without it
    holding.start()
    holding.wait_online()
    assert "can't be opened" in holding.ctl_json("status")["held_error"]
    assert "hold.key" in alice.receive_mail("Held mail can't be opened")["body"]
    first = holding.ctl_json("held", "list")["held"][0]
    assert first["readable"] is False and "the key that it was sealed with" in holding.ctl("held", "read", first["id"], expect=1)
    assert holding.ctl_json("audit", "list", "--object", first["id"])["audit"] == [], "nothing was seen"
    assert send_mail(holding, "Second", sender="eve@other.example").startswith("451 4.3.0")
    approve(holding)
    holding.stop()
    os.rename(key + ".away", key)
    holding.start()
    alice.receive_mail("Hello")
    assert holding.ctl_json("status")["held_error"] is None


@pytest.fixture
def house(folder):
    """Whose gateway ends, or whose disk fails, at a step that is named."""
    silo = Silo(folder, RELEASE)
    gateway = FaultyGateway(folder, silo.port, RELEASE)
    gateway.silo_extra = 'retry_longest = "1s"'
    gateway.policy_extra = "unknown_senders = hold"
    try:
        silo.start()
        gateway.start()
        alice = Member(folder, silo, "Alice Member", RELEASE)
        gateway.introduce(alice, "alice")
        yield gateway, alice
        gateway.stop()
    finally:
        close_quietly(gateway, silo)


def expect_once(gateway, alice, subject):
    alice.receive_mail(subject)
    gateway.wait_clean()
    alice.receive(wait=0)
    assert [mail["subject"] for mail in alice.mails()].count(subject) == 1, subject


def test_a_full_disk_loses_nothing(house):
    gateway, alice = house
    gateway.restart(f"sync:1:{errno.ENOSPC}")   # sealed, it has no room
    assert send_mail(gateway, "Full", text=LARGE).startswith("451 4.3.0")
    assert held(gateway) == [] and gateway.content() == []
    gateway.restart(f"sync:2:{errno.ENOSPC}")   # opened, it has none
    entry = hold(gateway, "Full", text=LARGE)
    later = hold(gateway, "Later")
    other = hold(gateway, "Another's", sender="eve@other.example")
    for name in (entry, later, other):
        gateway.ctl("held", "release", name)
    wait_until("it can't be opened", lambda: "event=hold.not_opened " in gateway.read_log())
    wait_until("all are opened", lambda: held(gateway) == [])
    gateway.wait_clean()
    alice.receive(wait=1)
    names = [mail["subject"] for mail in alice.mails()]
    assert sorted(names) == ["Another's", "Full", "Later"]
    assert names.index("Full") < names.index("Later")   # the same author's has waited for its turn
