"""What `why` tells: of mail that was accepted, held, refused before its data and at its end, turned away, or dropped."""
import re

import pytest

from mail import ALICE, BOB, make_mail
from postern import DOMAIN, Conversation
from procs import free_port, wait_until

STRANGER = "eve@stranger.example"


def story(gateway, what):
    """The paragraphs of a story."""
    return [row["text"] for row in gateway.ctl_json("why", what)["story"]]


def refusals(gateway, what, wanted=1):
    """What was refused, once so much of it is known."""
    def look():
        try:
            found = gateway.ctl_json("why", what)["refusals"]
        except AssertionError:
            return []
        return found if sum(row["count"] for row in found) >= wanted else []
    wait_until(f"{what} is known", look)
    return look()


@pytest.fixture
def door(gateway, alice):
    gateway.introduce(alice, "alice")
    return gateway


def session_of(gateway, text):
    """The session that the log's newest line with this text names."""
    return re.findall(r"session=(\S+)", [line for line in gateway.read_log().splitlines() if text in line][-1])[0]


def test_what_is_refused_before_there_is_an_entry(door):
    # before data: nobody at all may write to her, and nobody has that address
    with Conversation(door.smtp_port) as smtp:
        smtp.greet()
        smtp.expect(f"MAIL FROM:<{STRANGER}>", "250")
        smtp.expect(f"RCPT TO:<{ALICE}>", "550")
        smtp.expect(f"RCPT TO:<nobody@{DOMAIN}>", "550")
        smtp.expect("FROBNICATE", "500")
    session = session_of(door, f"to={ALICE} code=550")
    found = refusals(door, session, 3)
    assert [(row["place"], row["recipient"], row["code"]) for row in found] == [
        ("recipient", ALICE, 550), ("recipient", f"nobody@{DOMAIN}", 550), ("command", None, 500)]
    assert {row["session"] for row in found} == {session} and found[0]["sender"] == STRANGER and found[0]["transaction"]
    text = door.ctl("why", session)
    assert f"mail from {STRANGER} to {ALICE} was refused before its content came" in " ".join(text.split())
    assert "no mapping lets anybody write to" in " ".join(text.split())
    assert door.ctl("why", found[0]["transaction"]) == text
    # at its end: which mapping has decided, and who has decided about that; found by session, message and author
    door.ctl("mapping", "add", BOB, "Alice Member")
    door.ctl("mapping", "suspend", "1", "--reason", "she is away")
    door.ctl("mapping", "add", "*@other.example", "Alice Member")
    mail = make_mail("Refused", sender=BOB)
    with Conversation(door.smtp_port) as smtp:
        smtp.greet()
        smtp.envelope(BOB, ALICE)
        assert smtp.data(mail.as_bytes() + b".\r\n").startswith("550")
    (late,) = refusals(door, mail["Message-ID"])
    assert (late["place"], late["author"], late["code"], late["count"]) == ("message", BOB, 550, 1)
    assert refusals(door, late["session"]) == [late] == refusals(door, BOB)
    told = story(door, mail["Message-ID"])[-1]
    for fact in (f"mail from {BOB} to {ALICE}", mail["Message-ID"], "was refused when all of it had come", "mapping 1", "suspended",
                 "she is away", "What is known of who wrote it: "):
        assert fact in told, (fact, told)
    # once it is let in, its story says both
    door.ctl("mapping", "resume", "1")
    with Conversation(door.smtp_port) as smtp:
        smtp.greet()
        smtp.envelope(BOB, ALICE)
        assert smtp.data(mail.as_bytes() + b".\r\n").startswith("250")
    answer = door.ctl_json("why", mail["Message-ID"])
    assert answer["id"] == "in1" and answer["refusals"] == [late] and "refused when all of it had come" in answer["refused_before"][0]["text"]
    wait_until("it is delivered", lambda: f"Mail from {BOB} to Alice Member was delivered." in story(door, "in1"))
    # what is known survives a restart, and one who comes again and again is one row that counts
    for _ in range(12):
        with Conversation(door.smtp_port) as smtp:
            smtp.greet()
            smtp.expect(f"MAIL FROM:<{STRANGER}>", "250")
            smtp.expect(f"RCPT TO:<nobody@{DOMAIN}>", "550")
    door.stop()
    door.start()
    again = [row for row in refusals(door, STRANGER, 15) if row["recipient"] == f"nobody@{DOMAIN}"]
    assert len(again) == 8 and sum(row["count"] for row in again) == 13
    assert "This has happened 6 times since" in " ".join(story(door, STRANGER))
    door.ctl("why", "a1b2-17", expect=1)


def test_what_is_held_and_dropped(stopped_gateway, alice):
    gateway = stopped_gateway
    port = free_port()
    gateway.policy_extra = "unknown_senders = hold"
    gateway.extra += f'postfix {{ policy = "127.0.0.1:{port}" }}\n'
    gateway.start()
    gateway.introduce(alice, "alice")
    # what Postfix is told to refuse never gets here
    with Conversation(port) as policy:
        policy.send("request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.9\n"
                    f"sender={STRANGER}\nrecipient=nobody@{DOMAIN}\n\n")
        assert policy.reply().startswith("action=550")
    (asked,) = refusals(gateway, STRANGER)
    assert (asked["place"], asked["client"], asked["recipient"]) == ("postfix", "192.0.2.9", f"nobody@{DOMAIN}")
    with Conversation(gateway.smtp_port) as smtp:
        smtp.greet()
        smtp.envelope(BOB, ALICE)
        assert smtp.data(make_mail("Held", sender=BOB).as_bytes() + b".\r\n").startswith("250")
    first, *rest = story(gateway, "in1")
    assert first.startswith(f"Mail from {BOB} to Alice Member is held: nobody has decided yet") and "mapping approve" in first
    assert any("It was held for" in text for text in rest) and any("Who wrote it: " in text for text in rest)
    gateway.ctl("held", "drop", "in1", "--reason", "advertisement")
    first, *rest = story(gateway, "in1")
    assert first == f"Mail from {BOB} to Alice Member was given up: nobody else gets it."
    assert any("It was dropped: " in text or "has dropped it" in text for text in rest) and any("advertisement" in text for text in rest)
