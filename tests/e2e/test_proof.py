"""Our own check of who wrote a mail: a gateway that takes mail from the world, with nobody in front."""
import contextlib
import os
import re
import signal
import smtplib
import threading

import pytest

from dns_server import DnsServer
from mail import ALICE, BOB
from postern import Member
from postfix import read_maildir
from procs import PATIENCE, RELEASE, free_port, wait_until
from senders import (Refused, BOBS_CLIENT, FORWARDERS_CLIENT, LISTS_CLIENT, STRANGER, add_footer, deliver, id_of, new_mail, publish, refusal, seal, sign)

LIST = "friends@lists.example"


@pytest.fixture
def names():
    with DnsServer() as server:
        publish(server)
        yield server


@pytest.fixture
def door(stopped_gateway, names, alice, request):
    """`door.mx` is the port. Bob may write to Alice. A parameter is put into the section `policy`."""
    gateway = stopped_gateway
    gateway.mx = free_port()
    gateway.inside = free_port()
    gateway.policy_extra = 'trust_arc_sealers = { "lists.example" }\n  ' + getattr(request, "param", "")
    gateway.extra = (gateway.listener("mx", gateway.mx, "smtp", 'tls = none\n  xclient = { "127.0.0.1" }') +
                     gateway.listener("inside", gateway.inside, "lmtp", 'tls = none\n  xforward = { "127.0.0.1" }') +
                     f'\nverify {{\n  resolver = {{ "{names.address}" }}\n  dns_timeout = "4s"\n}}\n')
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    return gateway


def test_what_proves_the_author(door, names, alice):
    """SPF of the author's own domain, or a signature of it; nothing else. Who can't be let in costs no question."""
    assert "not authorised" in refusal(door.mx, new_mail("Hello", sender="mallory@evil.example"), sender="mallory@evil.example")
    assert not names.questions
    deliver(door.mx, new_mail("By its client"), client=BOBS_CLIENT)
    signed = sign(new_mail("By its signature"))
    deliver(door.mx, signed, client=STRANGER)
    assert {mail["subject"] for mail in (alice.receive_mail(), alice.receive_mail())} == {"By its client", "By its signature"}
    why = door.ctl("why", id_of(signed))
    assert "DMARC pass for example.com" in why and 'gw.example.org; dmarc=pass reason="policy reject"' in why
    assert "header.d=example.com header.s=s1" in why and "spf=fail" in why

    for raw, client in [
            (new_mail("Forged"), STRANGER),
            (add_footer(sign(new_mail("Changed"))), STRANGER),
            (sign(new_mail("Signed by another"), "evil.example"), STRANGER),
            (b"Authentication-Results: mx.test; dmarc=pass header.from=example.com\r\n" + new_mail("With a verdict of its own"), STRANGER),
            (b"Authentication-Results: gw.example.org; dmarc=pass header.from=example.com\r\n" + new_mail("In our name"), STRANGER)]:
        assert refusal(door.mx, raw, client=client).startswith("550 5.7.26"), raw
    assert "for example.com (SPF fail, DKIM fail)" in refusal(door.mx, add_footer(sign(new_mail("Changed"))), client=STRANGER)
    # SPF is about the envelope: somebody else's proves nothing about the author
    assert refusal(door.mx, new_mail("Another's envelope"), client=STRANGER, sender="a@evil.example").startswith("550 5.7.26")
    assert names.count("evil.example", "TXT") == 0, "a stranger's name server was asked"


def test_what_can_not_be_asked_now_is_put_off(door, names, alice):
    """And taken when it comes again and can be asked."""
    raw = new_mail("Later")
    names.behave("example.com", "servfail")
    assert refusal(door.mx, raw).startswith("451 4.7.0")
    names.behave("example.com", None)
    door.ctl("reload")   # the resolver begins anew, and has forgotten that there was no answer
    deliver(door.mx, raw)
    alice.receive_mail("Later")

    # the signature counts while SPF has no answer; and other answers have to be got with patience
    door.ctl("reload")
    names.behave("example.com", "servfail", "TXT")
    names.behave("_domainkey.example.com", "truncated")
    names.behave("_dmarc.example.com", "first-lie")
    raw = sign(new_mail("By its signature all the same"))
    deliver(door.mx, raw, client=STRANGER)
    alice.receive_mail("By its signature all the same")
    why = door.ctl("why", id_of(raw))
    assert "spf=temperror" in why and "dkim=pass" in why


def is_put_off(port, raw, sender):
    try:
        deliver(port, raw, sender=sender)
    except Refused as refused:
        assert refused.code == 451, refused
        return True
    return False


def in_background(function):
    """Returns what waits for it and returns its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()

    def wait():
        thread.join()
        return results[0]
    return wait


def worker_pids(gateway):
    """Of the verify workers, without their zygote: children of a child of the daemon."""
    pids = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if b"--worker=verify" not in file.read():
                    continue
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
            with open(f"/proc/{parent}/stat", encoding="ascii") as file:
                grandparent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if grandparent == gateway.process.pid:
            pids.append(int(pid))
    return pids


def busy_workers(gateway):
    states = dict(re.findall(r"event=worker.state slot=\d+ pid=(\d+) from=\w+ to=(\w+)", gateway.read_log()))
    return {pid for pid in worker_pids(gateway) if states.get(str(pid)) == "busy"}


def test_a_worker_that_dies(door, names, alice):
    """Once: another does it. Twice: the mail is put off."""
    for times in (1, 2):
        author = f"a@dies{times}.example"
        names.add_txt(f"dies{times}.example", f"v=spf1 ip4:{BOBS_CLIENT} -all")
        names.behave(f"dies{times}.example", "late", "TXT", seconds=0.4)
        door.ctl("mapping", "add", author, "Alice Member")
        raw = new_mail(f"Died {times}", sender=author)
        outcome = in_background(lambda raw=raw, author=author: is_put_off(door.mx, raw, author))
        killed = set()
        while len(killed) < times:
            pid = wait_until("a worker is at it", lambda killed=killed: busy_workers(door) - killed).pop()
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        assert outcome() == (times == 2)
    alice.receive_mail("Died 1")
    status = door.ctl_json("status")
    assert (status["verify_crashes"], status["verify_failed"]) == (3, 1)


def test_a_worker_sees_one_mail(door, alice):
    """In a stranger's hands it would read the next one, and could refuse it."""
    for number in (1, 2):
        deliver(door.mx, new_mail(f"Alone {number}"))
        alice.receive_mail(f"Alone {number}")
        wait_until("no worker is left", lambda: not worker_pids(door))


def test_stop_and_reload_while_it_is_checked(door, names, alice):
    names.behave("example.com", "late", seconds=0.4)
    raw = new_mail("Reloaded meanwhile")
    outcome = in_background(lambda: deliver(door.mx, raw))
    wait_until("it is being checked", lambda: names.questions)
    door.ctl("reload")
    assert "accepted" in outcome()
    alice.receive_mail("Reloaded meanwhile")

    names.questions.clear()
    door.ctl("reload")   # nothing is in the cache
    outcome = in_background(lambda: deliver(door.mx, new_mail("Stopped meanwhile")))
    wait_until("it is being checked", lambda: names.questions)
    door.stop()
    assert "accepted" in outcome()


def deliver_by_lmtp(port, raw, forwarded=None):
    """From Postfix, as it were. "": it was taken."""
    connection = smtplib.LMTP("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.ehlo("mx.test")
        if forwarded:
            assert connection.docmd("XFORWARD", forwarded)[0] == 250
        connection.mail(BOB)
        connection.rcpt(ALICE)
        code, text = connection.data(raw)
    return "" if code == 250 else f"{code} {text.decode()}"


def test_a_mail_server_in_front_that_checks_nothing(door, names, alice):
    """Whose client it was, it says; else nobody knows, and it is not the mail server."""
    names.remove("example.com", "TXT")
    names.add_txt("example.com", f"v=spf1 ip4:127.0.0.1 ip4:{BOBS_CLIENT} -all")   # where the mail server is
    assert "no client for SPF" in deliver_by_lmtp(door.inside, new_mail("Whose?"))
    assert "no client for SPF" in deliver_by_lmtp(door.inside, new_mail("Its own?"), "ADDR=[UNAVAILABLE] SOURCE=LOCAL")
    assert "SPF fail" in deliver_by_lmtp(door.inside, new_mail("A stranger's"), f"ADDR={STRANGER}")
    assert deliver_by_lmtp(door.inside, new_mail("Bob's"), f"ADDR={BOBS_CLIENT} HELO=mx.example.com") == ""
    assert deliver_by_lmtp(door.inside, sign(new_mail("Signed"))) == ""
    assert {mail["subject"] for mail in (alice.receive_mail(), alice.receive_mail())} == {"Bob's", "Signed"}


def test_slow_name_servers_hold_up_their_own_mail(door, names, alice):
    """Not that of others, however much of it there is."""
    author = "a@slow.example"
    names.add_txt("slow.example", f"v=spf1 ip4:{STRANGER} -all")
    names.behave("slow.example", "late", seconds=0.7)
    door.ctl("mapping", "add", author, "Alice Member")
    outcomes = [in_background(lambda: refusal(door.mx, new_mail("Slow", sender=author), client="203.0.113.5", sender=author)) for _ in range(9)]
    wait_until("they are being checked", lambda: door.ctl_json("status")["verify_under_way"] == 4)
    deliver(door.mx, new_mail("Quick"))
    assert door.ctl_json("status")["verify_under_way"] == 4
    alice.receive_mail("Quick")
    assert all(outcome()[:3] in ("451", "550") for outcome in outcomes)

    # Whoever has one address of a /64 has them all, and may have as many domains.
    door.ctl("mapping", "add", "*@*.slow.example", "Alice Member")
    outcomes = []
    for i in range(9):
        author = f"a@d{i}.slow.example"
        names.add_txt(f"d{i}.slow.example", f"v=spf1 ip4:{STRANGER} -all")
        arguments = {"client": f"IPV6:2001:db8::{i + 1}", "sender": author}
        outcomes.append(in_background(lambda author=author, arguments=arguments: refusal(door.mx, new_mail("Slow", sender=author), **arguments)))
    wait_until("they are being checked", lambda: door.ctl_json("status")["verify_under_way"] >= 4)
    deliver(door.mx, new_mail("Quick, too"))
    assert door.ctl_json("status")["verify_under_way"] == 4
    alice.receive_mail("Quick, too")
    assert all(outcome()[:3] in ("451", "550") for outcome in outcomes)


def test_some_of_its_recipients(door, folder, silo, alice):
    """Over SMTP: taken for those whom Bob may write to, and he is told of the others, since it is proven that he wrote it."""
    carol = Member(folder, silo, "Carol Member")
    door.introduce(carol, "carol")
    door.ctl("mapping", "add", "somebody@else.example", "Carol Member")
    both = [ALICE, "carol@silo.example.org"]
    assert "but not for all recipients" in deliver(door.mx, sign(new_mail("For both")), client=STRANGER, recipients=both)
    alice.receive_mail("For both")
    report = wait_until("he is told", lambda: read_maildir(door.maildir))[0]
    assert report["To"] == BOB and "5.7.1" in report.as_string()
    assert refusal(door.mx, new_mail("Forged, for both"), client=STRANGER, recipients=both).startswith("550 5.7.26")


@pytest.mark.parametrize("door", ["unknown_senders = hold"], indirect=True)
def test_strangers_are_held_when_they_are_proven(door, names):
    """For a stranger may be let in, too, when somebody has approved of it."""
    stranger = "carol@plain.example"
    assert "held for approval" in deliver(door.mx, sign(new_mail("May I?", sender=stranger), "plain.example"), client=STRANGER, sender=stranger)
    assert refusal(door.mx, new_mail("May I?", sender=stranger), client=STRANGER, sender=stranger).startswith("550 5.7.26")
    names.behave("_domainkey.lists.example", "servfail")
    assert refusal(door.mx, sign(new_mail("May I?", sender=LIST), "lists.example"), client=STRANGER, sender=LIST).startswith("451 4.7.0")


@pytest.mark.parametrize("stopped_gateway", [RELEASE], indirect=True, ids=["release"])   # where the sandbox is whole
def test_lists_and_forwarders(door, alice):
    """See the manual, "Lists, forwarding, calendars"."""
    # a list that writes in its own name is the author
    rewritten = sign(new_mail("From the list", sender=f"Bob via Friends <{LIST}>", List_Id="<friends.lists.example>", Reply_To=BOB), "lists.example")
    assert "<friends@lists.example> is not authorised" in refusal(door.mx, rewritten, client=LISTS_CLIENT, sender="bounces@lists.example")
    door.open_door(LIST, alice)
    deliver(door.mx, rewritten, client=LISTS_CLIENT, sender="bounces@lists.example")
    alice.receive_mail("From the list")

    # one that leaves From alone and changes the text: Bob's signature is broken
    changed = add_footer(sign(new_mail("Over the list", List_Id="<friends.lists.example>")))
    assert refusal(door.mx, changed, client=LISTS_CLIENT, sender="bounces@lists.example").startswith("550 5.7.26")

    # one that has sealed what it has seen, and whom we trust
    sealed = seal(add_footer(sign(new_mail("Sealed by the list"))), "dmarc=pass header.from=example.com")
    deliver(door.mx, sealed, client=LISTS_CLIENT, sender="bounces@lists.example")
    alice.receive_mail("Sealed by the list")
    why = door.ctl("why", id_of(sealed))
    assert "lists.example" in re.search("proven .*", why).group() and 'arc=pass reason="lists.example says dmarc=pass"' in why
    unseen = seal(add_footer(sign(new_mail("Seen to be forged"))), "dmarc=fail header.from=example.com")
    assert refusal(door.mx, unseen, client=LISTS_CLIENT).startswith("550 5.7.26")
    another = seal(add_footer(sign(new_mail("Sealed by anybody"))), "dmarc=pass header.from=example.com", domain="evil.example")
    assert refusal(door.mx, another, client=LISTS_CLIENT).startswith("550 5.7.26")
    changed = add_footer(seal(sign(new_mail("Changed after the seal")), "dmarc=pass header.from=example.com"))
    assert refusal(door.mx, changed, client=LISTS_CLIENT).startswith("550 5.7.26")

    # a forwarder that changes nothing: SPF fails, the signature holds
    deliver(door.mx, sign(new_mail("Forwarded")), client=FORWARDERS_CLIENT, sender="SRS0=x=y=example.com=bob@forwarder.example")
    alice.receive_mail("Forwarded")
    assert refusal(door.mx, new_mail("Forwarded, but not signed"), client=FORWARDERS_CLIENT,
                   sender="SRS0=x=y=example.com=bob@forwarder.example").startswith("550 5.7.26")

    # an invitation on behalf of another: who sends it is in Sender; whose it is, in From, and that must be proven and may write
    own = sign(new_mail("Invitation", Sender="assistant@evil.example"), "evil.example")
    assert refusal(door.mx, own, client=STRANGER, sender="assistant@evil.example").startswith("550 5.7.26")
    deliver(door.mx, sign(new_mail("Invitation", Sender="assistant@evil.example")), client=STRANGER, sender="assistant@evil.example")
    alice.receive_mail("Invitation")


def test_an_upstream_says_that_a_seal_is_good(door, alice):
    """Its Authentication-Results say that the chain is; whose it is stands in the seals."""
    def judged(arc, raw):
        return f"Authentication-Results: mx.test; dmarc=fail header.from=example.com; arc={arc}\r\n".encode() + raw
    good = seal(add_footer(sign(new_mail("Said to be good"))), "dmarc=pass header.from=example.com")
    another = seal(add_footer(sign(new_mail("Another's"))), "dmarc=pass header.from=example.com", domain="evil.example")
    for raw in (judged("fail", good), judged("pass", another), judged("pass; arc=fail", good)):
        assert refusal_without_xclient(door, raw).startswith("550 5.7.26")
    assert refusal_without_xclient(door, judged("pass", good)) == ""
    alice.receive_mail("Said to be good")


def refusal_without_xclient(gateway, raw):
    """At the listener that believes mx.test. "": it was taken."""
    with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) as connection:
        try:
            connection.sendmail(BOB, [ALICE], raw)
        except smtplib.SMTPDataError as error:
            return f"{error.smtp_code} {error.smtp_error.decode()}"
    return ""
