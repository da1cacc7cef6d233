"""Which mapping decides, from the command line to the mail: patterns, details, all members, denials, and changes that count at once."""
import pytest

from mail import BOB, make_mail
from postern import DOMAIN, Conversation, Member
from postfix import read_maildir
from procs import wait_until

ALICE, CAROL = f"alice@{DOMAIN}", f"carol@{DOMAIN}"


def codes(gateway, author, *recipients, subject="Hello", proven=True, body="Hello\n"):
    """What each recipient's mail from this author is answered, over LMTP."""
    mail = make_mail(subject, body, sender=author, proven=proven)
    with Conversation(gateway.lmtp_port) as lmtp:
        lmtp.greet("LHLO")
        lmtp.envelope(author, *recipients)
        replies = [lmtp.data(mail.as_bytes() + b".\r\n")]
        replies += [lmtp.reply() for _ in recipients[1:]]
    return [reply[:3] for reply in replies]


def received(member, subject):
    """The member's mail with this subject, whenever it came."""
    return next((item for item in member.mails() if item["subject"] == subject), None) or member.receive_mail(subject)


@pytest.fixture(name="carol")
def _carol(folder, silo, gateway, alice):
    gateway.introduce(alice, "alice")
    carol = Member(folder, silo, "Carol Member")
    gateway.introduce(carol, "carol")
    return carol


def test_patterns_details_and_all_members(gateway, alice, carol):
    gateway.ctl("mapping", "add", "*@partner.example", "Alice Member")
    gateway.ctl("mapping", "add", "*@*.partner.example", "all")
    gateway.ctl("mapping", "add", BOB, "Alice Member", "--subaddresses", "yes")
    assert codes(gateway, "zoe@partner.example", ALICE, CAROL, subject="By the domain") == ["250", "550"]
    assert codes(gateway, "Zoe@a.mail.PARTNER.example", CAROL, ALICE) == ["250", "250"]
    assert codes(gateway, "zoe@partner.example.test", ALICE) == ["550"]
    assert codes(gateway, "zoe@evilpartner.example", ALICE) == ["550"]
    assert codes(gateway, "zoe@partner.example", ALICE, proven=False) == ["550"]
    assert codes(gateway, "bob+news@example.com", ALICE, subject="With a detail") == ["250"]
    assert codes(gateway, "robert@example.com", ALICE) == ["550"]
    assert "mapping 1 (*@partner.example to Alice Member), approved by" in gateway.ctl("why", "in1")
    # the aliases are made for these mails, and answers find their way: Bob's to Bob, without the detail
    for subject, address in (("By the domain", "zoe@partner.example"), ("With a detail", BOB)):
        thread = received(alice, subject)["threadid"]
        alice.post(address, "an answer", thread=thread)
        wait_until(f"{address} is answered", lambda a=address: [m for m in read_maildir(gateway.maildir) if a in m["To"]])
    received(carol, "Hello")


def test_what_is_most_specific_counts_at_once_and_after_a_restart(gateway, alice, carol):
    gateway.ctl("mapping", "add", "*@partner.example", "all")
    gateway.ctl("mapping", "add", BOB, "all")   # so that somebody may write to both, whatever becomes of the other one
    assert codes(gateway, "eve@partner.example", ALICE, CAROL) == ["250", "250"]
    gateway.ctl("mapping", "block", "eve@partner.example", "Alice Member", "--reason", "asked for it")
    shut = ["550", "250"]
    assert codes(gateway, "eve@partner.example", ALICE, CAROL) == shut
    assert codes(gateway, "Eve+x@partner.example", ALICE, CAROL) == shut
    assert codes(gateway, "zoe@partner.example", ALICE, CAROL) == ["250", "250"]
    new = gateway.ctl_json("mapping", "add", "eve@partner.example", "Alice Member", "--daily", "2")["id"]
    assert codes(gateway, "eve@partner.example", ALICE, CAROL) == ["250", "250"]
    gateway.stop()
    gateway.start()
    assert codes(gateway, "eve@partner.example", ALICE) == ["250"]
    assert codes(gateway, "eve@partner.example", ALICE, CAROL) == ["452", "250"]   # two today, by this mapping
    gateway.ctl("mapping", "change", str(new), "--daily", "3", "--max-size", "2K")
    assert codes(gateway, "eve@partner.example", ALICE, body="long\n" * 1000) == ["552"]
    assert codes(gateway, "eve@partner.example", ALICE) == ["250"]
    assert codes(gateway, "eve@partner.example", ALICE) == ["452"]
    gateway.ctl("mapping", "revoke", str(new))
    assert codes(gateway, "eve@partner.example", ALICE, CAROL) == shut   # though the domain is open
    gateway.ctl("mapping", "suspend", "1")
    assert codes(gateway, "zoe@partner.example", ALICE, CAROL) == ["550", "550"]
    gateway.ctl("mapping", "resume", "1")
    assert codes(gateway, "zoe@partner.example", ALICE, CAROL) == ["250", "250"]
    assert codes(gateway, "eve@partner.example", ALICE) == ["550"]


def test_a_denial_stops_what_a_pattern_let_in(silo, gateway, alice, carol):
    gateway.ctl("mapping", "add", "*@partner.example", "all")
    silo.stop()
    assert codes(gateway, "eve@partner.example", ALICE, CAROL) == ["250", "250"]
    gateway.ctl("mapping", "block", "eve@partner.example", "Alice Member")
    silo.start()
    received(carol, "Hello")
    wait_until("it ends", lambda: not gateway.queue("in"))
    assert not alice.mails()
    assert "not for Alice Member: the mapping was revoked since" in gateway.ctl("why", "in1")
