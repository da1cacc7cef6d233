"""Delivery reports to the senders of mail (RFC 3461, 3464): who gets one, what is in it, and that it comes exactly once."""
import email
import email.policy
import glob
import os
import random
import smtplib
import socketserver
import subprocess
import threading
import time

import pytest

from mail import ALICE, BOB, make_mail
from postfix import read_maildir
from postern import DOMAIN, Conversation, Member
from procs import PATIENCE, RELEASE, ROOT, free_port, wait_until
from reports import Report, reports_in, send, story, wait_report

CAROL = f"carol@{DOMAIN}"
KILLS = 60 if os.environ.get("POSTERN_LONG") == "1" else 8


@pytest.fixture
def waiting(gateway, bob_to_alice, silo):
    """A gateway whose silo is away: what it accepts waits."""
    silo.kill()
    wait_until("the gateway is offline", lambda: gateway.ctl_json("status")["silo_state"] != "online")
    return gateway


@pytest.fixture
def carol(gateway, bob_to_alice, silo, folder):
    """A second member, whom Dave may write to, but not Bob."""
    member = Member(folder, silo, "Carol Member")
    gateway.introduce(member, "carol")
    gateway.open_door("dave@example.net", member)
    return member


# What is composed.

@pytest.mark.parametrize("path", sorted(glob.glob(os.path.join(ROOT, "tests", "corpora", "report", "*.eml"))), ids=os.path.basename)
def test_golden_reports_are_read_by_another_parser(path):
    with open(path, "rb") as file:
        report = Report(email.message_from_binary_file(file, policy=email.policy.default))
    assert report.about["Reporting-MTA"] == "dns; gw.example.org"
    assert report.about["Arrival-Date"] == "Thu, 26 Nov 2026 06:28:25 +0000"
    assert "gw.example.org" in report.text
    assert report.message["Auto-Submitted"] == "auto-replied"
    for fields in report.recipients:
        assert fields["Action"] in ("delivered", "failed", "delayed")
        assert fields["Status"][0] == {"delivered": "2", "failed": "5", "delayed": "4"}[fields["Action"]]
        assert fields["Final-Recipient"].split(";")[0] in ("rfc822", "utf-8")
    assert len(report.recipients) == (3 if "mixed" in path else 1)
    assert (report.original is None) == ("gone" in path)
    if report.original is not None:
        assert "Subject" in str(report.original)


# Delivered.

def test_success_is_reported_between_two_postfixes(mx, smarthost, gateway, bob_to_alice):
    """sendmail -N success -> Postfix -> LMTP -> posternd -> silo; the report -> posternd -> Postfix -> Bob's mailbox."""
    mail = make_mail("Did you get it?", proven=False)
    command = ["sendmail", "-C", mx.etc, "-N", "success,failure", "-V", "QQ+314159", "-R", "hdrs", "-f", BOB, ALICE]
    result = subprocess.run(command, input=mail.as_bytes().replace(b"\r\n", b"\n"), capture_output=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    bob_to_alice.receive_mail("Did you get it?")
    report = Report(wait_until("the report is delivered", smarthost.mails)[0])
    assert report.message["To"] == BOB
    assert report.message["Return-Path"] == "<>"
    assert report.message["References"] == mail["Message-ID"]
    assert report.about["Original-Envelope-Id"] == "QQ+314159"
    fields = report.recipients[0]
    assert (fields["Action"], fields["Status"]) == ("delivered", "2.1.5")
    assert fields["Final-Recipient"] == f"rfc822;{ALICE}"
    assert fields["Original-Recipient"] == f"rfc822;{ALICE}"
    assert report.original.get_content_type() == "text/rfc822-headers"
    assert report.original_headers()["Subject"] == "Did you get it?"
    assert "Hello Alice" not in report.message.as_string()
    gateway.wait_settled()
    assert f"report: delivered for <{ALICE}>, to <{BOB}> as out1" in story(gateway, "in1")
    assert story(gateway, "out1")[0] == f"reported: a report about in1 to <{BOB}>"
    assert len(smarthost.mails()) == 1, "Postfix reports as well, or we do twice"


@pytest.mark.parametrize("notify", [None, "FAILURE", "DELAY,FAILURE", "NEVER"])
def test_success_that_nobody_asked_for_is_not_reported(gateway, bob_to_alice, notify):
    send(gateway.smtp_port, make_mail("No receipt, please"), notify)
    bob_to_alice.receive_mail("No receipt, please")
    gateway.wait_settled()
    assert gateway.ctl_json("queue", "list", "--direction", "out", "--state", "settled")["queue"] == []
    assert not [line for line in story(gateway, "in1") if line.startswith("report")]


def test_success_with_original_recipient(gateway, bob_to_alice):
    send(gateway.lmtp_port, make_mail("Forwarded to Alice"), "SUCCESS", orcpt="rfc822;alice+2Bold@example.net", lmtp=True)
    fields = wait_report(gateway.maildir).recipients[0]
    assert fields["Original-Recipient"] == "rfc822;alice+old@example.net"
    assert fields["Final-Recipient"] == f"rfc822;{ALICE}"


def test_success_of_one_mail_to_two_is_one_report(gateway, bob_to_alice, carol):
    gateway.open_door(BOB, carol)
    send(gateway.smtp_port, make_mail("For both"), "SUCCESS", recipients=(ALICE, CAROL))
    report = wait_report(gateway.maildir)
    assert [report.status_of(address)["Action"] for address in (ALICE, CAROL)] == ["delivered", "delivered"]


def test_mail_that_comes_again_is_reported_once(gateway, bob_to_alice):
    mail = make_mail("Twice")
    send(gateway.smtp_port, mail, "SUCCESS")
    wait_report(gateway.maildir)
    assert "accepted before as in1" in send(gateway.smtp_port, mail, "SUCCESS")
    gateway.wait_settled()
    wait_report(gateway.maildir)


# To whom.

def test_no_report_to_an_envelope_sender_who_is_not_proven(gateway, bob_to_alice):
    """Bob's mail with somebody else's address as its sender, be it of his own domain: nobody else may be hit by the report."""
    for number, sender in enumerate(["victim@elsewhere.example", "victim@example.com"], start=1):
        send(gateway.smtp_port, make_mail(f"Replayed {number}"), "SUCCESS", sender=sender)
        bob_to_alice.receive_mail(f"Replayed {number}")
        wait_until("it is settled", lambda entry=f"in{number}": any(line.startswith("posted") for line in story(gateway, entry)))
        assert f"report: delivered for <{ALICE}>, to nobody: the envelope sender is not proven" in story(gateway, f"in{number}")
    assert gateway.ctl_json("queue", "list", "--direction", "out", "--state", "settled")["queue"] == []
    assert reports_in(gateway.maildir) == []


def test_report_to_a_sender_that_spf_proves(gateway, bob_to_alice):
    mail = make_mail("From a mailing service", proven=False)
    mail["Authentication-Results"] = "mx.test; dmarc=pass header.from=example.com; spf=pass smtp.mailfrom=b+17@bounces.example.net"
    send(gateway.smtp_port, mail, "SUCCESS", sender="b+17@bounces.example.net")
    assert wait_report(gateway.maildir).message["To"] == "b+17@bounces.example.net"


def test_report_to_an_address_with_a_tag_of_the_author(gateway, bob_to_alice):
    send(gateway.smtp_port, make_mail("Tagged"), "SUCCESS", sender="prvs=1234567890=bob@example.com")
    assert wait_report(gateway.maildir).message["To"] == "prvs=1234567890=bob@example.com"


def test_on_a_trusted_listener_the_authors_domain_is_enough(stopped_gateway, alice):
    gateway = stopped_gateway
    gateway.open_port = free_port()
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    send(gateway.open_port, make_mail("Elsewhere", proven=False), "SUCCESS", sender="victim@elsewhere.example")
    send(gateway.open_port, make_mail("At home", proven=False), "SUCCESS", sender="printer@example.com")
    assert wait_report(gateway.maildir).message["To"] == "printer@example.com"
    gateway.wait_settled()
    assert len(reports_in(gateway.maildir)) == 1


def test_report_to_a_sender_in_utf8(smarthost, gateway, alice):
    """Through a real Postfix, which takes it with SMTPUTF8; the media types are those of RFC 6533."""
    sender, original = "jürgen@example.com", "jörg@example.net"
    gateway.introduce(alice, "alice")
    gateway.open_door(sender, alice)
    mail = (f"Authentication-Results: mx.test; dmarc=pass header.from=example.com\r\nFrom: {sender}\r\nTo: {original}\r\n"
            "Subject: Grüße\r\nMessage-ID: <utf8@example.com>\r\n\r\nHallo\r\n").encode()
    with Conversation(gateway.smtp_port) as smtp:
        smtp.greet()
        smtp.expect(f"MAIL FROM:<{sender}> SMTPUTF8 BODY=8BITMIME", "250")
        smtp.expect(f"RCPT TO:<{ALICE}> NOTIFY=SUCCESS ORCPT=utf-8;{original}", "250")
        assert smtp.data(mail + b".\r\n").startswith("250")
    alice.receive_mail("Grüße")
    report = Report(wait_until("the report is delivered", smarthost.mails)[0])
    assert report.message.get_param("report-type") == "global-delivery-status"
    assert str(report.message["To"]).strip("<>") == sender
    assert report.recipients[0]["Final-Recipient"] == f"rfc822;{ALICE}"
    assert report.recipients[0]["Original-Recipient"] == f"utf-8;{original}"
    assert report.original.get_content_type() == "message/global-headers"


# Failed.

def test_dropped_mail_is_reported(waiting):
    send(waiting.smtp_port, make_mail("Never mind", body="secret\n"), envid="E1")
    dropped = waiting.ctl_json("queue", "drop", "in1", "--reason", "spam from a fool")
    assert dropped["sender_told"] is True
    report = wait_report(waiting.maildir)
    fields = report.status_of(ALICE)
    assert (fields["Action"], fields["Status"]) == ("failed", "5.0.0")
    assert report.about["Original-Envelope-Id"] == "E1"
    assert report.original_headers()["Subject"] == "Never mind"
    text = report.message.as_string()
    assert "secret" not in text
    assert "fool" not in text, "the reason is the administrators' own"
    assert f"report: failed for <{ALICE}>, to <{BOB}> as out1" in story(waiting, "in1")


def test_dropped_mail_comes_back_whole_when_asked_for(waiting):
    send(waiting.smtp_port, make_mail("Never mind", body="Give it back\n"), ret="FULL")
    waiting.ctl("queue", "drop", "in1", "--reason", "test")
    original = wait_report(waiting.maildir).original
    assert original.get_content_type() == "message/rfc822"
    assert original.get_content()["Subject"] == "Never mind"
    assert "Give it back" in original.get_content().get_content()


def test_large_mail_comes_back_as_its_header(waiting):
    send(waiting.smtp_port, make_mail("Large", body="All work and no play.\n" * 20000), ret="FULL")
    waiting.ctl("queue", "drop", "in1", "--reason", "test")
    report = wait_report(waiting.maildir)
    assert report.original_headers()["Subject"] == "Large"
    assert "All work" not in report.message.as_string()


@pytest.mark.parametrize("notify", ["NEVER", "SUCCESS", "SUCCESS,DELAY"])
def test_dropped_mail_is_not_reported_to_who_wants_no_failures(waiting, notify):
    send(waiting.smtp_port, make_mail("Never mind"), notify)
    assert waiting.ctl_json("queue", "drop", "in1", "--reason", "test")["sender_told"] is False
    assert waiting.queue("out") == []
    assert f"report: failed for <{ALICE}>, to nobody: the sender wants none" in story(waiting, "in1")


@pytest.mark.parametrize("notify, told", [(None, False), ("FAILURE", True)])
def test_dropped_automatic_mail_is_reported_if_it_asks(waiting, notify, told):
    mail = make_mail("I am on holiday")
    mail["Auto-Submitted"] = "auto-replied"
    send(waiting.smtp_port, mail, notify)
    assert waiting.ctl_json("queue", "drop", "in1", "--reason", "test")["sender_told"] is told


def test_recipient_whose_mapping_was_revoked_meanwhile_is_reported_as_failed(gateway, bob_to_alice, carol, silo):
    """Accepted for two, posted to one: neither of them may be told of wrongly, also when the report waits for an echo."""
    gateway.open_door(BOB, carol)
    silo.kill()
    wait_until("the gateway is offline", lambda: gateway.ctl_json("status")["silo_state"] != "online")
    send(gateway.smtp_port, make_mail("For both"), "SUCCESS,FAILURE", recipients=(ALICE, CAROL))
    mapping = next(row for row in gateway.ctl_json("mapping", "list")["mappings"] if row["address"] == BOB and "Carol" in str(row))
    gateway.ctl("mapping", "revoke", str(mapping["id"]), "--reason", "contract ended")
    silo.start()
    gateway.connect_silo()
    bob_to_alice.receive_mail("For both")
    report = wait_report(gateway.maildir)
    assert report.status_of(ALICE)["Action"] == "delivered"
    assert (report.status_of(CAROL)["Action"], report.status_of(CAROL)["Status"]) == ("failed", "5.7.1")


# Some recipients yes, others no.

def test_mail_for_some_is_taken_and_the_others_are_reported(gateway, bob_to_alice, carol):
    mail = make_mail("For both")
    reply = send(gateway.smtp_port, mail, recipients=(CAROL, ALICE))
    assert reply == "250 2.6.0 accepted as in1, but not for all recipients"
    bob_to_alice.receive_mail("For both")
    report = wait_report(gateway.maildir)
    assert len(report.recipients) == 1
    fields = report.status_of(CAROL)
    assert (fields["Action"], fields["Status"]) == ("failed", "5.7.1")
    assert f"<{BOB}> is not authorised to write to <{CAROL}>" in report.text
    assert any(line.startswith(f"refused: for {CAROL}") for line in story(gateway, "in1"))
    # once more: neither the mail nor the report is repeated
    assert "accepted before as in1" in send(gateway.smtp_port, mail, recipients=(CAROL, ALICE))
    gateway.wait_settled()
    wait_report(gateway.maildir)
    assert len(carol.mails()) == 0


def test_refusal_that_comes_with_a_repetition_is_reported(gateway, bob_to_alice, carol):
    """First to Alice alone, then the same to both: all there is new is the refusal."""
    mail = make_mail("For both")
    send(gateway.smtp_port, mail)
    assert "accepted before as in1" in send(gateway.smtp_port, mail, recipients=(ALICE, CAROL))
    assert [fields["Final-Recipient"] for fields in wait_report(gateway.maildir).recipients] == [f"rfc822;{CAROL}"]


def test_each_address_of_one_refused_recipient_is_reported(gateway, bob_to_alice, carol):
    """What one address wants must not hide what the other does; both are Carol's."""
    news, work = f"carol+news@{DOMAIN}", f"carol+work@{DOMAIN}"
    mail = make_mail("For both")
    for _ in range(2):  # it comes again: reported once
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=PATIENCE) as connection:
            connection.ehlo()
            connection.mail(BOB)
            for recipient, notify in ((ALICE, "FAILURE"), (news, "NEVER"), (CAROL, "FAILURE"), (work, "FAILURE")):
                assert connection.rcpt(recipient, [f"NOTIFY={notify}"])[0] == 250
            assert connection.data(mail.as_bytes())[0] == 250
        gateway.wait_settled()
        report = wait_report(gateway.maildir)
        assert [fields["Final-Recipient"] for fields in report.recipients] == [f"rfc822;{CAROL}", f"rfc822;{work}"]


def test_mail_accepted_before_a_revocation_is_not_reported_as_failed(gateway, bob_to_alice, carol):
    """The same mail comes again, for the sender has not seen our 250, and since then the mapping was revoked."""
    mapping = gateway.open_door(BOB, carol)
    mail = make_mail("For both")
    assert send(gateway.smtp_port, mail, recipients=(ALICE, CAROL)) == "250 2.6.0 accepted as in1"
    carol.receive_mail("For both")
    gateway.ctl("mapping", "revoke", str(mapping["id"]))
    assert send(gateway.smtp_port, mail, recipients=(ALICE, CAROL)).startswith("250 2.6.0 accepted before as in1")
    gateway.wait_settled()
    assert reports_in(gateway.maildir) == []


def test_success_is_reported_that_the_second_address_of_a_recipient_asks_for(gateway, bob_to_alice):
    with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=PATIENCE) as connection:
        connection.ehlo()
        connection.mail(BOB)
        assert connection.rcpt(ALICE)[0] == 250
        assert connection.rcpt(ALICE.replace("@", "+news@"), ["NOTIFY=SUCCESS"])[0] == 250
        assert connection.data(make_mail("Did you get it?").as_bytes())[0] == 250
    bob_to_alice.receive_mail("Did you get it?")
    assert wait_report(gateway.maildir).status_of(ALICE.replace("@", "+news@"))["Action"] == "delivered"


def test_mail_for_some_is_refused_when_its_sender_could_not_be_told(gateway, bob_to_alice, carol):
    reply = send(gateway.smtp_port, make_mail("For both"), recipients=(ALICE, CAROL), sender="victim@elsewhere.example")
    assert reply.startswith("550 5.7.1") and CAROL in reply
    assert gateway.queue("in") == []


def test_mail_for_some_is_taken_without_a_report_when_none_is_wanted(gateway, bob_to_alice, carol):
    reply = send(gateway.smtp_port, make_mail("For both"), "NEVER", recipients=(ALICE, CAROL), sender="victim@elsewhere.example")
    assert reply.startswith("250 2.6.0 accepted as in1")
    bob_to_alice.receive_mail("For both")
    gateway.wait_settled()
    assert reports_in(gateway.maildir) == []
    assert f"report: failed for <{CAROL}>, to nobody: the sender wants none" in story(gateway, "in1")


def test_mail_comes_again_when_one_recipient_is_over_a_limit(gateway, bob_to_alice, carol, silo, folder):
    """A refusal for the moment is not reported: all of the mail is put off, also for whom it is refused for good."""
    dora = Member(folder, silo, "Dora Member")
    gateway.introduce(dora, "dora")
    gateway.ctl("mapping", "add", BOB, dora.alias, "--daily", "1")
    send(gateway.smtp_port, make_mail("The one of today"), recipients=(f"dora@{DOMAIN}",))
    reply = send(gateway.smtp_port, make_mail("For three"), recipients=(ALICE, CAROL, f"dora@{DOMAIN}"))
    assert reply.startswith("452 4.2.1"), reply


def test_lmtp_answers_for_each_and_reports_nothing(gateway, bob_to_alice, carol):
    """What is refused over LMTP the server in front reports."""
    with Conversation(gateway.lmtp_port) as lmtp:
        lmtp.greet("LHLO")
        lmtp.envelope(BOB, ALICE, CAROL)
        assert lmtp.data(make_mail("For both").as_bytes() + b".\r\n").startswith("250 2.6.0")
        assert lmtp.reply().startswith("550 5.7.1")
    bob_to_alice.receive_mail("For both")
    gateway.wait_settled()
    assert reports_in(gateway.maildir) == []


# Of the reports themselves.

class Refusing(socketserver.StreamRequestHandler):
    """A relay that takes no report."""

    def handle(self):
        self.wfile.write(b"220 relay.test\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            self.wfile.write(b"550 5.1.1 no such mailbox\r\n" if verb == b"RCPT" else b"250 ok\r\n" if verb != b"QUIT" else b"221 bye\r\n")


def test_report_that_is_refused_is_dropped(stopped_gateway, alice):
    gateway = stopped_gateway
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as relay:
        relay.daemon_threads = True
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        gateway.relay = f"smtp://127.0.0.1:{relay.server_address[1]}"
        gateway.start()
        gateway.introduce(alice, "alice")
        gateway.open_door(BOB, alice)
        send(gateway.smtp_port, make_mail("Did you get it?"), "SUCCESS")
        wait_until("the report ends", lambda: gateway.ctl_json("queue", "list", "--direction", "out", "--state", "settled")["queue"])
        assert story(gateway, "out1")[-1] == f"failed: {BOB}: 550 5.1.1 no such mailbox (127.0.0.1:{relay.server_address[1]})"
        gateway.wait_settled()
        assert gateway.ctl_json("queue", "list", "--direction", "in", "--state", "settled")["queue"][1:] == []
        alice.receive_mail("Did you get it?")
        assert len(alice.mails()) == 1, "nobody in the silo is told"
        gateway.stop()
        relay.shutdown()


@pytest.mark.parametrize("stopped_gateway", [RELEASE], indirect=True)
def test_reports_survive_kills_and_come_once(gateway, bob_to_alice):
    """kill -9 while mails are being posted, settled and reported: each has one report in the end."""
    seed = int(os.environ.get("POSTERN_SEED", random.randrange(10**6)))
    print(f"POSTERN_SEED={seed}")
    moments = random.Random(seed)
    sent = []
    for number in range(KILLS):
        for i in range(4):
            mail = make_mail(f"Kill {number}.{i}")
            send(gateway.smtp_port, mail, "SUCCESS")
            sent.append(mail["Message-ID"])
        time.sleep(moments.uniform(0, 0.2))
        gateway.kill()
        gateway.start()
    gateway.wait_online()
    gateway.ctl("queue", "retry", "all")
    wait_until("all are reported", lambda: len(read_maildir(gateway.maildir)) >= len(sent))
    gateway.wait_settled()
    reported = [report.message["References"] for report in reports_in(gateway.maildir)]
    assert sorted(reported) == sorted(sent)
