"""Senders always hear what became of mail that was taken: when it can't be posted, when it is late, and only they."""
import os
import random
import signal
import time

import pytest

from fake_silo import FakeSilo
from mail import ALICE, BOB, make_mail
from postern import DOMAIN, GATEWAY_ALIAS, Gateway, Member, close_quietly
from procs import RELEASE, wait_until
from reports import reports_in, send, story, wait_report

CAROL = f"carol@{DOMAIN}"
STRANGER = "victim@elsewhere.example"   # an envelope sender whom nothing proves
KILLS = 40 if os.environ.get("POSTERN_LONG") == "1" else 8


def go_offline(gateway, silo):
    silo.kill()
    wait_until("the gateway is offline", lambda: gateway.ctl_json("status")["silo_state"] != "online")


def restart(gateway, **changes):
    """With other settings."""
    gateway.stop()
    for name, value in changes.items():
        setattr(gateway, name, value)
    gateway.start()


def wait_ended(gateway, entry, event):
    return wait_until(f"{entry} is {event}", lambda: [line for line in story(gateway, entry) if line.startswith(f"{event}:")])[0]


@pytest.fixture
def impatient(gateway, bob_to_alice, silo):
    """A gateway that gives up after two seconds, whose silo is away."""
    go_offline(gateway, silo)
    restart(gateway, give_up="2s", warn_after="1h")
    return gateway


@pytest.fixture
def carol(gateway, bob_to_alice, silo, folder):
    """A second member whom Bob may write to."""
    member = Member(folder, silo, "Carol Member")
    gateway.introduce(member, "carol")
    gateway.open_door(BOB, member)
    return member


def content_left(gateway):
    return os.listdir(os.path.join(gateway.state, "content"))


# Given up.

def test_mail_that_expires_while_the_silo_is_away_goes_back(impatient):
    text = "All work and no play.\n" * 20000   # a file of its own
    mail = make_mail("Too late", body=text)
    send(impatient.smtp_port, mail, envid="E1", orcpt="rfc822;alice+2Bold@example.net")
    report = wait_report(impatient.maildir)
    fields = report.status_of(ALICE)
    assert (fields["Action"], fields["Status"]) == ("failed", "4.4.1")
    assert fields["Original-Recipient"] == "rfc822;alice+old@example.net"
    assert report.about["Original-Envelope-Id"] == "E1"
    assert "could not be reached for too long" in report.text
    assert report.message["To"] == BOB and report.message["References"] == mail["Message-ID"]
    assert report.original_headers()["Subject"] == "Too late"
    assert "All work" not in report.message.as_string()
    impatient.wait_settled()
    assert wait_ended(impatient, "in1", "returned") == "returned: given up: the silo could not be reached"
    assert f"report: failed for <{ALICE}>, to <{BOB}> as out1" in story(impatient, "in1")
    assert content_left(impatient) == []


def test_mail_that_went_back_is_never_posted_but_may_come_again(impatient, silo, bob_to_alice):
    """The sender was told that it failed, and sends the very same mail once more."""
    mail = make_mail("Once more")
    send(impatient.smtp_port, mail)
    wait_report(impatient.maildir)
    silo.start()
    impatient.connect_silo()
    impatient.wait_online()
    assert not [item for item in bob_to_alice.receive(wait=1) if item["op"] == "delivery"]
    assert send(impatient.smtp_port, mail) == "250 2.6.0 accepted as in2"
    bob_to_alice.receive_mail("Once more")
    impatient.wait_settled()
    assert len(bob_to_alice.mails()) == 1 and len(reports_in(impatient.maildir)) == 1


@pytest.mark.parametrize("notify", ["NEVER", "SUCCESS", "DELAY"])
def test_mail_whose_sender_wants_to_hear_nothing_just_ends(impatient, notify):
    send(impatient.smtp_port, make_mail("Never mind"), notify)
    wait_ended(impatient, "in1", "returned")
    assert f"report: failed for <{ALICE}>, to nobody: the sender wants none" in story(impatient, "in1")
    impatient.wait_settled()
    assert reports_in(impatient.maildir) == []


def automatic(mail):
    mail["Auto-Submitted"] = "auto-replied"
    return mail


CASES = pytest.mark.parametrize("mail, sender, why", [
    (make_mail("Replayed"), STRANGER, "the envelope sender is not proven"),
    (automatic(make_mail("I am away")), BOB, "the mail is automatic and has not asked for any"),
], ids=["unproven", "automatic"])


@CASES
def test_mail_whose_sender_may_not_be_told_waits_for_the_silo(impatient, silo, bob_to_alice, mail, sender, why):
    send(impatient.smtp_port, make_mail("Told"))
    send(impatient.smtp_port, mail, sender=sender)
    wait_report(impatient.maildir)
    time.sleep(2.5)   # another look
    assert [row["state"] for row in impatient.queue("in")] == ["waiting"], why
    silo.start()
    impatient.connect_silo()
    bob_to_alice.receive_mail(mail["Subject"])
    impatient.wait_settled()
    assert len(reports_in(impatient.maildir)) == 1


def test_replies_that_waited_for_the_silo_with_what_they_answer_are_posted(impatient, silo, bob_to_alice):
    """All are too old when the silo is back, and each reply waits for the thread's first message once more: it is no reason to give up."""
    mails = [make_mail("A thread")]
    for number in range(3):
        mails.append(make_mail(f"Reply {number}", f"Number {number}\n", references=[mails[0]["Message-ID"]]))
    for mail in mails:
        send(impatient.smtp_port, mail, sender=STRANGER)
    time.sleep(2.5)
    silo.start()
    impatient.connect_silo()
    impatient.wait_settled()
    bob_to_alice.receive(wait=1)
    assert len(bob_to_alice.mails()) == len(mails)
    assert len({item["threadid"] for item in bob_to_alice.mails()}) == 1


@CASES
def test_mail_whose_sender_may_not_be_told_is_held_for_a_person(refusing, mail, sender, why):
    send(refusing.smtp_port, mail, sender=sender)
    wait_ended(refusing, "in1", "held")
    [entry] = refusing.queue("in")
    assert entry["state"] == "held"
    assert entry["last_error"] == f"no room for Alice; its sender is not told: {why}"
    assert reports_in(refusing.maildir) == [] and refusing.queue("out") == []


def test_automatic_mail_that_asks_is_reported(impatient):
    send(impatient.smtp_port, automatic(make_mail("I am away")), "FAILURE")
    assert wait_report(impatient.maildir).status_of(ALICE)["Action"] == "failed"


def test_mail_that_may_have_been_posted_does_not_expire_while_the_silo_is_away(gateway, bob_to_alice, silo):
    """The silo is deaf when it is posted, and gone before it has answered: only its echo tells."""
    gateway.stop()
    gateway.give_up = "2s"
    gateway.start()
    gateway.wait_online()
    os.kill(silo.process.pid, signal.SIGSTOP)
    send(gateway.smtp_port, make_mail("Perhaps"))
    wait_until("it is routed", lambda: [row for row in gateway.queue("in") if row["state"] == "routed"])
    go_offline(gateway, silo)
    send(gateway.smtp_port, make_mail("Certainly not"))
    report = wait_report(gateway.maildir)
    assert report.original_headers()["Subject"] == "Certainly not"
    assert [row["state"] for row in gateway.queue("in")] == ["routed"]
    silo.start()
    gateway.connect_silo()
    bob_to_alice.receive_mail("Perhaps")
    gateway.wait_settled()
    assert len(reports_in(gateway.maildir)) == 1


def test_removed_member_is_reported_as_gone_and_the_others_get_it(gateway, bob_to_alice, carol, silo):
    go_offline(gateway, silo)
    send(gateway.smtp_port, make_mail("For both"), "SUCCESS,FAILURE", recipients=(ALICE, CAROL))
    gateway.ctl("member", "remove", "Carol Member")
    silo.start()
    gateway.connect_silo()
    bob_to_alice.receive_mail("For both")
    report = wait_report(gateway.maildir)
    assert [(report.status_of(address)["Action"], report.status_of(address)["Status"]) for address in (ALICE, CAROL)] == [
        ("delivered", "2.1.5"), ("failed", "5.1.1")]
    assert "there is no such recipient any more" in report.text
    assert "not for Carol Member: the member was removed" in gateway.ctl("why", "in1")


def test_mail_to_nobody_but_removed_members_goes_back_at_once(gateway, bob_to_alice, silo):
    go_offline(gateway, silo)
    send(gateway.smtp_port, make_mail("Are you there?"))
    gateway.ctl("member", "remove", "Alice Member")
    silo.start()
    gateway.connect_silo()
    assert wait_report(gateway.maildir).status_of(ALICE)["Status"] == "5.1.1"
    assert wait_ended(gateway, "in1", "returned").endswith("nobody is left who can get it: not for Alice Member: the member was removed")
    gateway.wait_settled()


def test_revoked_and_removed_recipients_are_told_apart_while_the_silo_is_away(impatient, folder):
    """Each for what keeps the mail from them, not for what keeps it from all."""
    send(impatient.smtp_port, make_mail("Closed"))
    impatient.ctl("mapping", "revoke", str(impatient.ctl_json("mapping", "list")["mappings"][0]["id"]))
    report = wait_report(impatient.maildir)
    assert (report.status_of(ALICE)["Action"], report.status_of(ALICE)["Status"]) == ("failed", "5.7.1")


def test_at_last_mail_goes_to_those_who_can_get_it(gateway, bob_to_alice, carol, silo):
    """One of two mappings is suspended: until it is given up the mail waits for both."""
    restart(gateway, give_up="4s")
    gateway.wait_online()
    mapping = next(row for row in gateway.ctl_json("mapping", "list")["mappings"] if "Carol" in str(row))
    go_offline(gateway, silo)
    send(gateway.smtp_port, make_mail("For both"), recipients=(ALICE, CAROL))
    gateway.ctl("mapping", "suspend", str(mapping["id"]))
    silo.start()
    gateway.connect_silo()
    wait_until("it says why it waits", lambda: "a mapping is suspended" in gateway.ctl("why", "in1"))
    bob_to_alice.receive_mail("For both")
    report = wait_report(gateway.maildir)
    assert [(fields["Final-Recipient"], fields["Action"], fields["Status"]) for fields in report.recipients] == [
        (f"rfc822;{CAROL}", "failed", "4.7.1")]


MEMBER_UID = "A" * 32


@pytest.fixture
def refusing(folder):
    """A gateway before a silo that takes no post for Alice."""
    silo = FakeSilo(folder)
    silo.on_post = lambda head: "no room for Alice" if any(to["id"] == MEMBER_UID for to in head["for"]) else None
    silo.on_ping = lambda session, head: head["from"] == GATEWAY_ALIAS and session.push(
        {"op": "ping", "from": MEMBER_UID, "alias": "Alice Member", "to": GATEWAY_ALIAS}, b"Hello")   # the answer to being greeted
    gateway = Gateway(folder, silo.port)
    gateway.silo_host = "=127.0.0.1"
    gateway.give_up = "3s"
    try:
        gateway.start()
        gateway.wait_online()
        gateway.ctl("member", "add", "Alice Member", "--address", "alice")
        gateway.ctl("mapping", "add", BOB, "Alice Member")
        wait_until("the gateway knows the member", lambda: gateway.ctl_json("member", "show", "Alice Member").get("uid"))
        yield gateway
        gateway.stop()
    finally:
        close_quietly(gateway)
        silo.stop()


def test_mail_that_the_silo_refuses_until_it_is_given_up_goes_back_with_its_words(refusing):
    send(refusing.smtp_port, make_mail("No room"))
    report = wait_report(refusing.maildir)
    fields = report.status_of(ALICE)
    assert (fields["Action"], fields["Status"]) == ("failed", "5.0.0")
    assert "Diagnostic-Code" not in fields, "the silo speaks no SMTP"
    assert "did not take it: no room for Alice" in report.text
    assert wait_ended(refusing, "in1", "returned") == "returned: given up: no room for Alice"
    refusing.wait_settled()


@pytest.mark.parametrize("stopped_gateway", [RELEASE], indirect=True)
def test_mail_that_expires_is_told_once_whatever_is_killed(gateway, bob_to_alice, silo):
    """kill -9 around the commits that end mails: in the end each has gone back, once."""
    seed = int(os.environ.get("POSTERN_SEED", random.randrange(10**6)))
    print(f"POSTERN_SEED={seed}")
    moments = random.Random(seed)
    go_offline(gateway, silo)
    sent = []
    for number in range(150):
        mail = make_mail(f"Expires {number}")
        send(gateway.smtp_port, mail, "FAILURE,DELAY")
        sent.append(mail["Message-ID"])
    for _ in range(KILLS):
        gateway.kill()
        gateway.give_up = "1s"
        gateway.start()
        time.sleep(1 + moments.uniform(0, 0.3))
    wait_until("all have gone back", lambda: not gateway.queue("in"))
    wait_until("all is reported", lambda: not gateway.queue("out"))
    failed = [report.message["References"] for report in reports_in(gateway.maildir) if report.recipients[0]["Action"] == "failed"]
    assert sorted(failed) == sorted(sent)
    assert content_left(gateway) == []


# Late.

@pytest.fixture
def worrying(gateway, bob_to_alice, silo):
    """A gateway that warns after a second, whose silo is away."""
    go_offline(gateway, silo)
    restart(gateway, warn_after="1s")
    return gateway


def test_delay_is_reported_once_to_who_has_asked(worrying, silo, bob_to_alice):
    mail = make_mail("Slowly")
    send(worrying.smtp_port, mail, "DELAY")
    send(worrying.smtp_port, make_mail("Not asked"))
    send(worrying.smtp_port, make_mail("Failures only"), "FAILURE,SUCCESS")
    report = wait_report(worrying.maildir)
    fields = report.status_of(ALICE)
    assert (fields["Action"], fields["Status"]) == ("delayed", "4.4.1")
    assert fields["Will-Retry-Until"] and report.message["Subject"] == "Delivery report: delayed"
    assert report.message["References"] == mail["Message-ID"]
    assert "can't be reached at present" in report.text
    assert f"report: delayed for <{ALICE}>, to <{BOB}> as out1" in story(worrying, "in1")
    restart(worrying)
    time.sleep(2.5)   # two more looks
    silo.start()
    worrying.connect_silo()
    for _ in range(3):
        bob_to_alice.receive_mail()
    worrying.wait_settled()
    actions = [report.recipients[0]["Action"] for report in reports_in(worrying.maildir)]
    assert sorted(actions) == ["delayed", "delivered"], "one of each, for those who have asked"


def test_delay_is_not_reported_to_who_is_not_proven(worrying):
    send(worrying.smtp_port, make_mail("Replayed"), "DELAY", sender=STRANGER)
    wait_until("it is decided", lambda: f"report: delayed for <{ALICE}>, to nobody: the envelope sender is not proven" in
               story(worrying, "in1"))
    assert worrying.queue("out") == []


def test_delay_of_a_held_mail_says_that_it_is_held(worrying):
    """Whoever holds it: the sender wanted to hear of a delay. Nobody knows until when it may last."""
    send(worrying.smtp_port, make_mail("Held"), "DELAY")
    worrying.ctl("queue", "hold", "in1")
    fields = wait_report(worrying.maildir).status_of(ALICE)
    assert (fields["Action"], fields["Status"]) == ("delayed", "4.3.0")
    assert "Will-Retry-Until" not in fields


def test_mail_that_is_posted_in_time_has_no_report_of_delay(gateway, bob_to_alice):
    restart(gateway, warn_after="1s")
    gateway.wait_online()
    send(gateway.smtp_port, make_mail("Fast"), "DELAY")
    bob_to_alice.receive_mail("Fast")
    time.sleep(2.5)
    gateway.wait_settled()
    assert reports_in(gateway.maildir) == []
