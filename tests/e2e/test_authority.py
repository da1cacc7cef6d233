"""Who may reach whom, also when somebody inside tries, and when an administrator changes their mind."""
import smtplib

import pytest

from mail import BOB, make_mail, send
from postern import DOMAIN, Conversation, Member
from postfix import read_maildir
from procs import wait_until


def refused(code, port, message):
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        send(port, message)
    assert caught.value.smtp_code == code, caught.value
    return caught.value.smtp_error.decode()


def lmtp_codes(gateway, message, recipients):
    with Conversation(gateway.lmtp_port) as lmtp:
        lmtp.greet("LHLO")
        lmtp.envelope(BOB, *recipients)
        replies = [lmtp.data(message.as_bytes() + b".\r\n")]
        replies += [lmtp.reply() for _ in recipients[1:]]
    return [reply[:3] for reply in replies]


def notice(member, part):
    return member.receive_where(f"a notice about {part!r}", lambda item: item["op"] == "delivery" and part in item["body"])


def test_somebody_who_is_no_member_sends_nothing(folder, silo, gateway, bob_to_alice):
    stranger = Member(folder, silo, "Mallory Stranger")
    gateway_uid = gateway.ctl_json("status")["silo_uid"]
    stranger.post(gateway_uid, "Let me out", subject="To bob")
    notice(stranger, "only for members")
    stranger.post(gateway_uid, "Let me out again", subject="To bob")   # told once a day
    wait_until("both were looked at", lambda: gateway.ctl_json("status")["messages_ignored"] >= 2)
    assert not [item for item in stranger.receive(wait=2) if item["op"] == "delivery"]
    assert read_maildir(gateway.maildir) == []


def test_a_member_outside_a_thread_has_no_say_in_it(folder, silo, gateway, bob_to_alice):
    send(gateway.smtp_port, make_mail("Between us"))
    thread = bob_to_alice.receive_mail("Between us")["threadid"]
    mallory = Member(folder, silo, "Mallory Member")
    gateway.introduce(mallory, "mallory")
    gateway.open_door("eve@example.com", mallory)
    gateway_uid = gateway.ctl_json("status")["silo_uid"]
    mallory.post(gateway_uid, "I am Alice, pay me", thread=thread, subject="Changed")
    notice(mallory, "you are not in it")
    bob_to_alice.post(BOB, "the real answer", thread=thread)
    mails = wait_until("Alice's answer leaves", lambda: read_maildir(gateway.maildir))
    assert [mail["Subject"] for mail in mails] == ["Re: Between us"]
    assert mails[0]["From"].endswith(f"<alice@{DOMAIN}>")


def test_a_mapping_revoked_while_mail_waits(silo, gateway, bob_to_alice):
    silo.stop()
    send(gateway.smtp_port, make_mail("Too late"))
    mapping = gateway.ctl_json("mapping", "list")["mappings"][0]["id"]
    gateway.ctl("mapping", "revoke", str(mapping), "--reason", "contract ended")
    silo.start()
    wait_until("it ends", lambda: not gateway.queue("in"))
    assert not [item for item in bob_to_alice.receive(wait=1) if item["op"] == "delivery"]
    assert "returned: given up: nobody is left who can get it: not for Alice Member: the mapping was revoked since" in [
        f"{line['event']}: {line['detail']}" for line in gateway.ctl_json("why", "in1")["trace"]]


def test_a_removed_member_comes_back_to_closed_doors(gateway, bob_to_alice):
    gateway.ctl("member", "remove", "Alice Member")
    assert "5.1.1" in str(pytest.raises(smtplib.SMTPRecipientsRefused, send, gateway.smtp_port, make_mail("Gone")).value)
    gateway.ctl("member", "add", "Alice Member")
    bob_to_alice.ping("Email Gateway", "back again")
    wait_until("she is known", lambda: gateway.ctl_json("member", "show", "Alice Member").get("uid"))
    assert gateway.ctl_json("mapping", "list")["mappings"][0]["state"] == "revoked"
    assert "5.7.1" in str(pytest.raises(smtplib.SMTPRecipientsRefused, send, gateway.smtp_port, make_mail("Back")).value)


def test_the_daily_limit_does_not_count_repetitions(gateway, alice):
    gateway.introduce(alice, "alice")
    gateway.ctl("mapping", "add", BOB, "Alice Member", "--daily", "1")
    wait_until("his alias exists", lambda: gateway.ctl_json("mapping", "show", "1")["member_told"])
    mail = make_mail("The one for today")
    send(gateway.smtp_port, mail)
    send(gateway.smtp_port, mail)   # our answer was lost: it is accepted, and delivered once
    assert "daily limit" in refused(452, gateway.smtp_port, make_mail("One too many"))
    alice.receive_mail("The one for today")
    gateway.wait_settled()
    assert len(alice.mails()) == 1


def test_a_recipient_over_the_limit_is_not_taken_for_served(folder, silo, gateway, alice):
    """LMTP answers for each: who got 452 must get the mail when it comes again."""
    carol = Member(folder, silo, "Carol Member")
    for member, name in ((alice, "alice"), (carol, "carol")):
        gateway.introduce(member, name)
    gateway.ctl("mapping", "add", BOB, "Alice Member")
    gateway.ctl("mapping", "add", BOB, "Carol Member", "--daily", "1")
    both = [f"alice@{DOMAIN}", f"carol@{DOMAIN}"]
    assert lmtp_codes(gateway, make_mail("First"), both) == ["250", "250"]
    second = make_mail("Second")
    assert lmtp_codes(gateway, second, both) == ["250", "452"]
    assert lmtp_codes(gateway, second, both[1:]) == ["452"]   # still not delivered: no repetition
    assert lmtp_codes(gateway, second, both[:1]) == ["250"]
    assert "repeated" in gateway.ctl("why", "in2")


def test_the_gateway_is_not_a_member(gateway, bob_to_alice):
    for alias in ("Email Gateway", BOB):
        assert "own" in gateway.ctl("member", "add", alias, expect=1)


def test_a_reply_that_waits_when_its_mapping_is_revoked(stopped_gateway, alice):
    stopped_gateway.relay = "smtp://127.0.0.1:1"   # nobody is there
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    stopped_gateway.open_door(BOB, alice)
    send(stopped_gateway.smtp_port, make_mail("Answer me"))
    thread = alice.receive_mail("Answer me")["threadid"]
    alice.post(BOB, "an answer", thread=thread)
    wait_until("it was tried", lambda: [entry for entry in stopped_gateway.queue("out") if entry["attempts"] > 0])
    stopped_gateway.ctl("mapping", "revoke", "1")
    assert notice(alice, "no longer authorised")["threadid"] == thread
    wait_until("it is settled", lambda: stopped_gateway.queue("out") == [])


def test_dropping_a_reply_that_is_being_tried(stopped_gateway, alice):
    """A drop while the relay has it must not leave the relay's slot busy for ever."""
    stopped_gateway.relay = "smtp://127.0.0.1:1"
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    stopped_gateway.open_door(BOB, alice)
    send(stopped_gateway.smtp_port, make_mail("Answer me"))
    thread = alice.receive_mail("Answer me")["threadid"]
    for number in range(6):
        alice.post(BOB, f"answer {number}", thread=thread)
    waiting = wait_until("all wait", lambda: len(stopped_gateway.queue("out")) == 6 and stopped_gateway.queue("out"))
    for entry in waiting:
        stopped_gateway.ctl("queue", "drop", entry["id"], "--reason", "test")
    wait_until("nothing is under way", lambda: all(queue["under_way"] == 0 for queue in stopped_gateway.ctl_json("status")["queues"]))
