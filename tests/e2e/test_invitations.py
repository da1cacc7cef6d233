"""The mail that tells somebody that they may write, and what they can do with it."""
import re
import time

import pytest

from mail import ALICE, BOB, make_mail, plain_text, send
from postern import DOMAIN
from postfix import read_maildir
from procs import free_port, wait_until
from sink import Sink
from test_returns import make_report, receive_part, recipient, return_path

ADMIN = "Alice Member"


@pytest.fixture
def house(stopped_gateway, alice):
    """Alice is a member and an admin: what she invites is approved at once."""
    gateway = stopped_gateway
    gateway.policy_extra = f'admins = {{ "{ADMIN}" }}'
    gateway.start()
    gateway.introduce(alice, "alice")
    return gateway


def invite(gateway, alice, address=BOB):
    """The invitation, as it lies in the mailbox."""
    alice.ping(gateway.alias, f"invite {address}")
    alice.receive_where(f"ping from {address}", lambda item: item["op"] == "ping" and item["alias"] == address)
    return wait_until("the invitation leaves", lambda: read_maildir(gateway.maildir))[0]


def removal_address(mail):
    return re.search(rb"bounces\+[a-z2-7]+@" + re.escape(DOMAIN.encode()), plain_text(mail).encode())[0].decode()


def refusal(gateway, **options):
    with pytest.raises(Exception, match="550") as refused:
        send(gateway.smtp_port, make_mail("Once more"), **options)
    return str(refused.value)


def test_whoever_is_invited_can_answer_and_be_removed(house, alice):
    """One mail, whatever happens to the gateway; its answer arrives; then an empty mail ends it, once, and everybody is told."""
    mail = invite(house, alice)
    assert mail["To"] == BOB and ALICE in mail["From"] and ALICE in mail["Reply-To"] and mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == "Alice Member invites you to write by email"
    text = plain_text(mail)
    assert ALICE in text and "{" not in text and removal_address(mail) != return_path(mail)
    house.kill()
    house.start()
    house.wait_online()
    send(house.smtp_port, make_mail("Re: " + mail["Subject"], references=[mail["Message-ID"]]))
    thread = alice.receive_mail("Re: " + mail["Subject"])["threadid"]
    assert len(read_maildir(house.maildir)) == 1

    empty = make_mail("", body="", recipient=removal_address(mail), proven=False)
    for _ in range(2):
        send(house.smtp_port, empty, recipients=[removal_address(mail)])
    told = alice.receive_mail("Removed on request")
    assert BOB in told["body"]
    mapping = house.ctl_json("mapping", "show", "1")
    assert (mapping["state"], mapping["decided_by"], mapping["reason"]) == ("revoked", BOB, "asked to be removed")
    assert f"<{BOB}> is not authorised" in refusal(house)
    alice.post(house.ctl_json("status")["silo_uid"], "Are you there?", thread=thread)
    told = receive_part(alice, "the mapping was revoked on ")
    assert told["threadid"] == thread and "at their own request: asked to be removed" in told["body"]
    house.wait_settled()
    alice.receive(wait=1)
    assert [item["subject"] for item in alice.mails()].count("Removed on request") == 1
    assert len(read_maildir(house.maildir)) == 1

    house.ctl("mapping", "add", BOB, alice.alias)   # whoever has the invitation can't keep out whom somebody has let in again
    send(house.smtp_port, empty, recipients=[removal_address(mail)])
    house.wait_settled()
    assert house.ctl_json("mapping", "show", "2")["state"] == "approved"


def test_an_invitation_that_comes_back_is_told(house, alice):
    """Without a thread there is one for it. A removal by a program is none."""
    mail = invite(house, alice)
    send(house.smtp_port, make_report(mail, recipient()), sender="", recipients=[return_path(mail)])
    told = receive_part(alice, "The invitation by email could not be delivered:")
    assert BOB in told["body"] and told["subject"] == "About an invitation by email"
    bounce = make_mail("Out of office", recipient=removal_address(mail), proven=False)
    bounce["Auto-Submitted"] = "auto-replied"
    send(house.smtp_port, bounce, recipients=[removal_address(mail)])
    send(house.smtp_port, bounce, sender="", recipients=[removal_address(mail)])
    house.wait_settled()
    assert house.ctl_json("mapping", "show", "1")["state"] == "approved"
    # The invitation says that it ends for good, also what has followed.
    house.ctl("mapping", "revoke", "1")
    house.ctl("mapping", "add", BOB, alice.alias)
    send(house.smtp_port, make_mail("", body="", recipient=removal_address(mail), proven=False), recipients=[removal_address(mail)])
    assert BOB in alice.receive_mail("Removed on request")["body"]
    assert house.ctl_json("mapping", "show", "2")["reason"] == "asked to be removed"


def test_the_text_is_the_administrator_s(stopped_gateway, alice, tmp_path):
    """With every field, in another script; a mistake in it stops the start and is named, and a reload takes a new text."""
    gateway = stopped_gateway
    file = tmp_path / "invitation"
    gateway.policy_extra = f'admins = {{ "{ADMIN}" }}'
    gateway.extra = f'invitation {{ file = "{file}" }}'
    file.write_text("Subject: Hallo\n\nSchreib an {adresse}, {remove}\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="line 3: a brace that begins or ends no field"):
        gateway.start()
    gateway.process = None
    good = "Subject: Grüße von {member}\n\n**{guest}**: schreib an {address} ({domain}) oder lass es: {remove}\n"
    file.write_text(good, encoding="utf-8")
    gateway.start()
    gateway.introduce(alice, "alice")
    mail = invite(gateway, alice)
    assert mail["Subject"] == "Grüße von Alice Member"
    assert plain_text(mail).replace(" \n", " ").strip() == f"*{BOB}*: schreib an {ALICE} ({DOMAIN}) oder lass es: {removal_address(mail)}"
    file.write_text(good.replace("Grüße", "Griaß di"), encoding="utf-8")
    gateway.ctl("reload")
    alice.ping(gateway.alias, "invite carol@example.net")
    wait_until("Carol is invited", lambda: "Griaß di von Alice Member" in [mail["Subject"] for mail in read_maildir(gateway.maildir)])
    file.write_text("nothing", encoding="utf-8")
    assert "line 1: expected" in gateway.ctl("reload", expect=1)


def test_nobody_is_invited_twice_or_never(house, alice):
    """kill -9 at five moments between the administrator's word and the mail."""
    guests = [f"guest{number}@example.com" for number in range(10)]
    for number, delay in enumerate((0, 0.01, 0.03, 0.08, 0.2)):
        for guest in guests[2 * number:2 * number + 2]:
            house.ctl("mapping", "add", guest, alice.alias, "--invite", "yes")
        time.sleep(delay)
        house.kill()
        house.start()
    house.ctl("mapping", "add", "*@example.com", alice.alias, "--invite", "yes", expect=1)
    wait_until("everybody is invited", lambda: len(read_maildir(house.maildir)) >= len(guests))
    house.wait_settled()
    assert sorted(mail["To"] for mail in read_maildir(house.maildir)) == guests
    shown = [house.ctl_json("mapping", "show", str(number + 1))["invitation"] for number in range(len(guests))]
    assert len(set(shown)) == len(guests) and None not in shown


def test_an_invitation_that_the_relay_refuses_is_told(stopped_gateway, alice, folder):
    gateway, port = stopped_gateway, free_port()
    gateway.relay = f"smtp://127.0.0.1:{port}"
    gateway.start()
    gateway.introduce(alice, "alice")
    with Sink(folder, port, "-f", "RCPT"):
        gateway.ctl("mapping", "add", BOB, alice.alias, "--invite", "yes")
        told = alice.receive_mail("Could not be invited")
    assert BOB in told["body"] and "may write all the same" in told["body"]
    assert gateway.ctl_json("mapping", "show", "1")["state"] == "approved" and gateway.queue("out") == []
