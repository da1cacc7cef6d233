"""Who is turned away, at which step, and in which words (contracts, "What a mail sender is told")."""
import smtplib

import pytest

from mail import ALICE, BOB, make_mail, send
from postern import DOMAIN, Conversation, Member


@pytest.fixture
def smtp(gateway, bob_to_alice):
    """A greeted connection to a gateway where only bob@example.com may write to Alice."""
    with Conversation(gateway.smtp_port) as conversation:
        conversation.greet()
        yield conversation


def refused_in_data(smtp, mail, sender, recipient=ALICE):
    """The reply to the mail, whether it came to RCPT or after the data."""
    smtp.expect(f"MAIL FROM:<{sender}>", "250")
    reply = smtp.say(f"RCPT TO:<{recipient}>")
    if reply.startswith("250"):
        reply = smtp.data(mail.as_bytes() + b".\r\n")
    return reply


def test_unknown_recipient(smtp):
    smtp.expect(f"MAIL FROM:<{BOB}>", "250")
    reply = smtp.expect(f"RCPT TO:<nobody@{DOMAIN}>", "550 5.1.1")
    assert f"nobody@{DOMAIN}" in reply


def test_foreign_domain(smtp):
    smtp.expect(f"MAIL FROM:<{BOB}>", "250")
    smtp.expect("RCPT TO:<carol@elsewhere.example>", "550 5.7.1")


def test_unauthorised_sender(smtp):
    mail = make_mail("Let me in", sender="mallory@example.net")
    reply = refused_in_data(smtp, mail, "mallory@example.net")
    assert reply.startswith("550 5.7.1"), reply
    assert f"<mallory@example.net> is not authorised to write to <{ALICE}>" in reply


def test_unauthorised_author_behind_an_authorised_envelope(smtp):
    """The envelope says Bob, the header says Mallory, and it is Mallory who is proven."""
    mail = make_mail("Let me in", sender="mallory@example.net")
    reply = refused_in_data(smtp, mail, BOB)
    assert reply.startswith("550 5.7.1"), reply


def test_unproven_sender(smtp):
    reply = refused_in_data(smtp, make_mail("Believe me", proven=False), BOB)
    assert reply.startswith("550 5.7.26"), reply
    assert "dmarc" in reply.lower()


@pytest.mark.parametrize("verdict", [
    "mx.test; dmarc=fail header.from=example.com",
    "mx.test; dmarc=none header.from=example.com",
    "mx.test; dmarc=pass header.from=example.net",
    "mx.other; dmarc=pass header.from=example.com",
    "mx.test; none",
])
def test_verdict_that_proves_nothing(smtp, verdict):
    mail = make_mail("Believe me", proven=False)
    mail["Authentication-Results"] = verdict
    reply = refused_in_data(smtp, mail, BOB)
    assert reply.startswith("550 5.7.26"), reply


def test_forged_verdict_is_removed_by_the_mx_and_the_true_one_counts(mx, gateway, bob_to_alice):
    """Postfix says dmarc=fail of unproven.example; the sender had put a dmarc=pass of his own before."""
    gateway.open_door("bob@unproven.example", bob_to_alice)
    mail = make_mail("Forged", sender="bob@unproven.example", proven=True)
    send(mx.port, mail, sender="bob@unproven.example")
    send(mx.port, make_mail("Honest", proven=False))
    bob_to_alice.receive_mail("Honest")
    assert [item["subject"] for item in bob_to_alice.mails()] == ["Honest"]
    assert "5.7.26" in mx.read_log()


def test_declared_size_too_large(stopped_gateway, alice):
    stopped_gateway.max_message = "1M"
    stopped_gateway.start()
    with Conversation(stopped_gateway.smtp_port) as smtp:
        capabilities = smtp.greet()
        assert "SIZE 1048576" in capabilities
        smtp.expect(f"MAIL FROM:<{BOB}> SIZE=1048577", "552 5.3.4")


def test_content_too_large(stopped_gateway, alice):
    stopped_gateway.max_message = "1M"
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    stopped_gateway.open_door(BOB, alice)
    mail = make_mail("Too large", ("x" * 70 + "\n") * 20000)
    with Conversation(stopped_gateway.smtp_port) as smtp:
        smtp.greet()
        smtp.envelope(BOB, ALICE)
        reply = smtp.data(mail.as_bytes() + b".\r\n")
        assert reply.startswith("552 5.3.4"), reply
        smtp.expect("NOOP", "250")
        smtp.envelope(BOB, ALICE)
        reply = smtp.data(make_mail("Small enough").as_bytes() + b".\r\n")
        assert reply.startswith("250"), reply


@pytest.mark.parametrize("name, spoil", [
    ("a bare LF", lambda content: content.replace(b"Hello", b"Hel\nlo")),
    ("a bare CR", lambda content: content.replace(b"Hello", b"Hel\rlo")),
    ("a NUL", lambda content: content.replace(b"Hello", b"Hel\0lo")),
    ("an end of data with bare LF, and a command behind it",
     lambda content: content + b"\n.\nMAIL FROM:<mallory@example.net>\r\nmore\r\n"),
    ("an end of data with mixed line ends", lambda content: content + b"\r\n.\nQUIT\r\n"),
    ("an end of data with bare CR", lambda content: content + b"\r.\rQUIT\r\n"),
])
def test_bytes_that_smuggle_mail(smtp, bob_to_alice, name, spoil):
    """Refused after the true end; whatever stood behind the false end was content, not a command."""
    smtp.envelope(BOB, ALICE)
    reply = smtp.data(spoil(make_mail("Smuggled").as_bytes()) + b"\r\n.\r\n")
    assert reply.startswith("554 5.6.0"), f"{name}: {reply}"
    smtp.expect("NOOP", "250")
    smtp.envelope(BOB, ALICE)
    assert smtp.data(make_mail("Honest").as_bytes() + b".\r\n").startswith("250")
    bob_to_alice.receive_mail("Honest")
    assert [item["subject"] for item in bob_to_alice.mails()] == ["Honest"]


def test_revoked_mapping_closes_the_door(gateway, bob_to_alice):
    send(gateway.smtp_port, make_mail("Still open"))
    bob_to_alice.receive_mail("Still open")
    mapping = gateway.ctl_json("mapping", "list")["mappings"][0]
    gateway.ctl("mapping", "revoke", str(mapping["id"]), "--reason", "left the company")
    with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as refusal:
        send(gateway.smtp_port, make_mail("Closed now"))
    assert "5.7.1" in str(refusal.value)


def test_bounce_to_a_member_without_our_token(smtp):
    smtp.expect("MAIL FROM:<>", "250")
    smtp.expect(f"RCPT TO:<{ALICE}>", "550 5.7.1")


def test_mixed_recipients_by_lmtp(gateway, bob_to_alice, silo, folder):
    """On LMTP each recipient has an answer of their own: Alice takes mail from Bob, Carol does not."""
    gateway.introduce(Member(folder, silo, "Carol Member"), "carol")
    with Conversation(gateway.lmtp_port) as lmtp:
        lmtp.greet("LHLO")
        lmtp.envelope(BOB, ALICE)
        at_rcpt = lmtp.say(f"RCPT TO:<carol@{DOMAIN}>")
        replies = [lmtp.data(make_mail("For one of two").as_bytes() + b".\r\n")]
        if at_rcpt.startswith("250"):
            replies.append(lmtp.reply())
        else:
            replies.append(at_rcpt)
        assert replies[0].startswith("250"), replies
        assert replies[1].startswith("550 5.7.1"), replies
    bob_to_alice.receive_mail("For one of two")


def test_loop_is_broken(smtp):
    """More than a hundred Received fields: it goes round in circles."""
    received = b"Received: from a.example by b.example; Mon, 23 Nov 2026 06:28:25 +0000\r\n" * 101
    smtp.envelope(BOB, ALICE)
    reply = smtp.data(received + make_mail("Round and round").as_bytes() + b".\r\n")
    assert reply.startswith("554 5.4.6"), reply
