"""What the SMTP extensions bring to the member: chunks of binary content, details behind "+", addresses in UTF-8."""
import hashlib
import random

from mail import ALICE, BOB, make_mail
from postern import AUTHSERV_ID, DOMAIN, Conversation

CHUNK = 64 * 1024


def binary_mail(subject, file):
    """A mail with the file in it as it is: no base64, no lines."""
    head = (f"Authentication-Results: {AUTHSERV_ID}; dmarc=pass header.from=example.com\n"
            f"From: {BOB}\nTo: {ALICE}\nSubject: {subject}\nMessage-ID: <{subject}.1@example.com>\nMIME-Version: 1.0\n"
            "Content-Type: multipart/mixed; boundary=part\n\n--part\n"
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: binary\n\nHere it is.\n--part\n"
            "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=random.bin\n"
            "Content-Transfer-Encoding: binary\n\n").replace("\n", "\r\n").encode()
    return head + file + b"\r\n--part--\r\n"


def chunks(content):
    for at in range(0, len(content), CHUNK):
        piece = content[at:at + CHUNK]
        last = b" LAST" if at + CHUNK >= len(content) else b""
        yield b"BDAT %d%s\r\n%s" % (len(piece), last, piece)


def test_binary_content_in_chunks_arrives_octet_by_octet(gateway, bob_to_alice):
    """Everything in one go, to a detail of Alice's; large enough for a file of its own."""
    file = random.Random(3030).randbytes(400_000) + b"\r\n.\r\n\n.\nQUIT\r\n\0\r\n-- part\r\n"
    content = b"".join(chunks(binary_mail("binary", file)))
    with Conversation(gateway.smtp_port) as smtp:
        assert "BINARYMIME" in smtp.greet()
        smtp.send(f"MAIL FROM:<{BOB}> BODY=BINARYMIME\r\nRCPT TO:<alice+files@{DOMAIN}>\r\n".encode() + content + b"QUIT\r\n")
        replies = [smtp.reply() for _ in range(2 + content.count(b"BDAT ") + 1)]
    assert [reply[:3] for reply in replies] == ["250"] * (len(replies) - 1) + ["221"], replies
    received = bob_to_alice.receive_mail("binary")
    assert "Here it is." in received["body"]
    assert hashlib.sha256(file).hexdigest() in bob_to_alice.saved_digests()


def test_text_in_chunks_with_bare_lines_is_refused(gateway, bob_to_alice):
    content = make_mail("Bare").as_bytes().replace(b"Hello", b"Hello\n.\n")
    with Conversation(gateway.smtp_port) as smtp:
        smtp.greet()
        smtp.envelope(BOB, ALICE)
        smtp.send(b"BDAT %d LAST\r\n%s" % (len(content), content))
        assert smtp.reply().startswith("554 5.6.0")
        smtp.expect("NOOP", "250")
    assert gateway.queue("in") == []
    assert not bob_to_alice.mails()


def test_an_author_in_utf8_whose_domain_is_proven_in_ascii(gateway, bob_to_alice):
    """The checking server writes the domain as the DNS has it, the author as people write it."""
    author = "jürgen@bücher.example"
    gateway.open_door(author, bob_to_alice)
    content = (f"Authentication-Results: {AUTHSERV_ID}; dmarc=pass header.from=xn--bcher-kva.example\r\n"
               f"From: Jürgen <{author}>\r\nTo: {ALICE}\r\nSubject: Grüße\r\nMessage-ID: <utf8.1@bücher.example>\r\n"
               "Content-Type: text/plain; charset=utf-8\r\n\r\nSchöne Grüße\r\n.\r\n").encode()
    with Conversation(gateway.smtp_port) as smtp:
        smtp.greet()
        smtp.expect(f"MAIL FROM:<{author}>", "553 5.6.7")
        smtp.expect(f"MAIL FROM:<{author}> SMTPUTF8 BODY=8BITMIME", "250")
        smtp.expect(f"RCPT TO:<{ALICE}>", "250")
        smtp.expect("DATA", "354")
        smtp.send(content)
        assert smtp.reply().startswith("250")
    assert "Schöne Grüße" in bob_to_alice.receive_mail("Grüße")["body"]


def test_a_reply_quotes_an_address_in_ascii_unless_utf8_was_agreed_on(gateway, bob_to_alice):
    assert bob_to_alice
    mail = make_mail("Stranger", sender="mallöry@bücher.example")
    content = mail.as_bytes(policy=mail.policy.clone(utf8=True)) + b".\r\n"
    with Conversation(gateway.smtp_port) as smtp:
        smtp.greet()
        smtp.expect("MAIL FROM:<mallory@example.net>", "250")
        smtp.expect(f"RCPT TO:<{ALICE}>", "250")
        smtp.expect("DATA", "354")
        smtp.send(content)
        reply = smtp.reply()
        assert reply.startswith("550 5.7.1") and "<mall\\x{F6}ry@xn--bcher-kva.example>" in reply, reply
        smtp.expect("MAIL FROM:<mallory@example.net> SMTPUTF8", "250")
        smtp.expect(f"RCPT TO:<{ALICE}>", "250")
        smtp.expect("DATA", "354")
        smtp.send(content)
        reply = smtp.reply()
        assert reply.startswith("550 5.7.1") and "<mallöry@xn--bcher-kva.example>" in reply, reply
