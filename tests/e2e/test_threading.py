"""A conversation of thirty mails is one thread for everybody outside, by the rules of the two mail programs whose rules are known."""
import json
import re

import pytest

from mail import ALICE, BOB, make_mail, plain_text, send
from postfix import read_maildir
from postern import DOMAIN
from procs import wait_until

CAROL = "carol@example.net"
MAILS = 30
REPLY_PREFIX = re.compile(r"^\s*(re|aw|sv|antw|fwd?|wg)(\[\d+\])?\s*:\s*", re.I)


def base_subject(subject):
    """Without the prefixes of replies and forwards (RFC 5256 section 2.1, and the German and Scandinavian ones)."""
    while (stripped := REPLY_PREFIX.sub("", subject)) != subject:
        subject = stripped
    return " ".join(subject.split())


def ids(field):
    return re.findall(r"<[^<>\s]+>", str(field or ""))


class Box:
    """The mails of one person, of which those that belong together are found: each has a key, and mails of one thread the same."""

    def __init__(self):
        self.parent = {}

    def find(self, key):
        while self.parent.setdefault(key, key) != key:
            key = self.parent[key]
        return key

    def join(self, a, b):
        self.parent[self.find(a)] = self.find(b)

    def threads(self, mails):
        found = {}
        for mail in mails:
            found.setdefault(self.find(mail["Message-ID"]), []).append(mail)
        return list(found.values())


def gmail(mails):
    """"The References and In-Reply-To headers must be set in compliance with the RFC 2822 standard. The Subject headers must match."
    (Gmail API, "Managing threads": what makes a message part of a thread.) Of mails that are there, in the order in which they came."""
    box, seen = Box(), {}
    for mail in mails:
        for link in ids(mail["References"]) + ids(mail["In-Reply-To"]):
            if link in seen and base_subject(seen[link]["Subject"]) == base_subject(mail["Subject"]):
                box.join(mail["Message-ID"], link)
        seen[mail["Message-ID"]] = mail
    return box.threads(mails)


def thunderbird(mails):
    """The newest of the References that is there is the parent; In-Reply-To stands for References where there are none; a mail that comes
    later than its answers is joined to them (mail.correct_threading, mail.strict_threading: the subject counts for nothing).
    nsMsgDatabase::ThreadNewHdr and GetThreadForReference, nsParseMailMessageState::FinalizeHeaders in comm-central."""
    box, threads = Box(), set()
    for mail in mails:
        links = ids(mail["References"]) or ids(mail["In-Reply-To"])[:1]
        parent = next((link for link in reversed(links) if link in threads), None)
        if parent:
            box.join(mail["Message-ID"], parent)
        waiting = [other for other in mails[:len(threads)] if mail["Message-ID"] in ids(other["References"])]
        for other in waiting:
            box.join(mail["Message-ID"], other["Message-ID"])
        threads.add(mail["Message-ID"])
    return box.threads(mails)


# How the correspondents' programs answer the newest mail, in turn: what they keep of its References, and what of its subject.
MANNERS = [
    ("well", lambda chain: chain, "Re: {}"),
    ("In-Reply-To only", lambda chain: None, "Re: {}"),
    ("the last two", lambda chain: chain[-2:], "RE: {}"),
    ("the first and the last", lambda chain: [chain[0], chain[-1]], "AW: {}"),
    ("the last only, folded", lambda chain: chain[-1:], "Re: AW: Re: {}"),
    ("well, with a counter", lambda chain: chain, "Re[3]: {}"),
]


def answer_to(mail, sender, number, subject):
    """What this correspondent's program makes as a "reply to all"."""
    _, keep, form = MANNERS[number % len(MANNERS)]
    answer = make_mail(form.format(subject), f"Answer {number}\n", sender=sender)
    answer["Cc"] = CAROL if sender == BOB else BOB
    answer["In-Reply-To"] = mail["Message-ID"]
    kept = keep(ids(mail["References"]) + [mail["Message-ID"]])
    if kept:
        answer["References"] = " ".join(kept)
    return answer


def converse(gateway, alice, subject):
    """Returns the mails of the conversation in order. Two of ours, then an answer of one of the two, and so on; all are for everybody."""
    mails, thread = [], None
    alice.post([BOB, CAROL], "Message 0", subject=subject)
    mails.append(wait_until("the first mail leaves", lambda: read_maildir(gateway.maildir))[0])
    ours = 1
    while len(mails) < MAILS:
        number = len(mails)
        if number % 3 == 1:
            answer = answer_to(mails[-1], [BOB, CAROL][number % 2], number // 3, base_subject(mails[0]["Subject"]))
            send(gateway.smtp_port, answer, sender=answer["From"].addresses[0].addr_spec, recipients=[ALICE])
            received = alice.receive_where(f"answer {number // 3}", lambda item, wanted=number // 3: item["op"] == "delivery"
                                           and f"Answer {wanted}\n" in item["body"] + "\n")
            assert thread in (None, received["threadid"]), f"{MANNERS[number // 3 % len(MANNERS)][0]}: another thread in the silo"
            thread = received["threadid"]
            mails.append(answer)
        else:
            alice.post([BOB, CAROL], f"Message {number}", thread=thread)
            mails.append(wait_until("the mail leaves", lambda wanted=ours: read_maildir(gateway.maildir)[wanted:])[0])
            assert f"Message {number}" in plain_text(mails[-1])
            ours += 1
    return mails


@pytest.mark.parametrize("subject", ["Plans  for the “gate”", "Fwd: Measurements"])
def test_a_long_conversation_is_one_thread(gateway, alice, bob_to_alice, subject):
    gateway.open_door(CAROL, alice)
    mails = converse(gateway, alice, subject)
    assert len({mail["Message-ID"] for mail in mails}) == MAILS
    for rule in (gmail, thunderbird):
        assert len(rule(mails)) == 1, f"{rule.__name__} has {[[mail['Subject'] for mail in thread] for thread in rule(mails)]}"
        # Who threw most of it away, or has only what came from here.
        assert len(rule([mails[0]] + mails[20:])) == 1 and len(rule([mail for mail in mails if ALICE in mail["From"]])) == 1, rule.__name__
    assert len(thunderbird([mails[0], *reversed(mails[1:])])) == 1, "in whatever order it came"
    for number, mail in enumerate(mails):
        if number == 0 or number % 3 == 1:
            continue
        assert mail["Subject"] == "Re: " + " ".join(subject.split())
        assert ids(mail["References"]) == [earlier["Message-ID"] for earlier in mails[:number]], "complete"
        assert ids(mail["In-Reply-To"]) == [mails[number - 1]["Message-ID"]]
        assert all(len(line) < 998 for line in mail.as_string().splitlines())


def test_who_comes_later_has_a_thread_of_what_they_have(gateway, alice, bob_to_alice, folder):
    """Carol gets the thread forwarded: her mails refer to what she has, and nothing of Bob's thread breaks."""
    gateway.open_door(CAROL, alice)
    as_lines = ("--account", alice.account, "--json")
    kept = alice.tmtp("post", *as_lines, "--to", BOB, "--subject", "Plans", "Message 0\n")
    first = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    answer = make_mail("Re: Plans", "Fine\n", references=[first["Message-ID"]])
    send(gateway.smtp_port, answer)
    kept += alice.tmtp("receive", *as_lines, "--wait", "10", "--count", "1")
    thread = json.loads(kept.splitlines()[0])["threadid"]
    with open(f"{folder}/thread.jsonl", "w", encoding="utf-8") as file:
        file.write(kept)
    alice.tmtp("forward", *as_lines, "--thread", thread, "--to", CAROL, "--messages", f"{folder}/thread.jsonl")
    forward = wait_until("the forward leaves", lambda: read_maildir(gateway.maildir)[1:])[0]
    assert forward["To"] == CAROL and forward["Subject"] == "Fwd: Plans" and forward["References"] is None
    alice.post([BOB, CAROL], "Message 2", thread=thread)
    alice.post([BOB, CAROL], "Message 3", thread=thread)
    second, third = wait_until("two more leave", lambda: read_maildir(gateway.maildir)[2:] if len(read_maildir(gateway.maildir)) > 3 else None)
    for mine in ([first, answer, second, third], [forward, second, third]):
        assert len(gmail(mine)) == 1 and len(thunderbird(mine)) == 1
    assert ids(third["In-Reply-To"]) == [second["Message-ID"]], "the newest that both have"


def test_a_reply_that_names_nothing_begins_a_thread(gateway, bob_to_alice):
    """Outlook's Thread-Index alone says nothing to us, nor to other programs: what is answered then is that mail."""
    bob_to_alice.post(BOB, "Message 0", subject="Plans")
    first = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    answer = make_mail("RE: Plans", "Answer without references\n")
    answer["Thread-Topic"] = "Plans"
    answer["Thread-Index"] = "AdyW8fV3k0c0Qm1lTz2mQ7mJ0m8k1A=="
    send(gateway.smtp_port, answer)
    received = bob_to_alice.receive_where("the answer", lambda item: item["op"] == "delivery" and "without" in item["body"])
    bob_to_alice.post(BOB, "Message 2", thread=received["threadid"])
    second = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir)[1:])[0]
    assert second["Subject"] == "Re: Plans" and ids(second["References"]) == ids(second["In-Reply-To"]) == [answer["Message-ID"]]
    assert DOMAIN in str(second["From"]) and first["Message-ID"] != second["Message-ID"]
    assert len(gmail([answer, second])) == 1 and len(thunderbird([answer, second])) == 1


def test_a_changed_subject_is_the_messages_and_then_the_threads(gateway, bob_to_alice):
    """Who changes it reads answers under the new one. An automatic answer changes nothing."""
    answers = [("New date (was: Plans)", {}, "New date (was: Plans)"), ("AW: [plans] New date (was: Plans)", {}, ""),
               ("Automatic reply: Plans", {"Auto-Submitted": "auto-replied"}, "Automatic reply: Plans"),
               ("Re: New date (was: Plans)", {}, "")]
    bob_to_alice.post(BOB, "Message 0", subject="Plans")
    first = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    for number, (subject, header, shown) in enumerate(answers):
        answer = make_mail(subject, f"Answer {number}\n", references=[first["Message-ID"]])
        for name, value in header.items():
            answer[name] = value
        send(gateway.smtp_port, answer)
        received = bob_to_alice.receive_where("the answer", lambda item, wanted=number: item["op"] == "delivery"
                                              and f"Answer {wanted}\n" in item["body"] + "\n")
        assert received["subject"] == shown
        bob_to_alice.post(BOB, f"Message {number + 1}", thread=received["threadid"])
        mail = wait_until("the mail leaves", lambda wanted=number: read_maildir(gateway.maildir)[wanted + 1:])[0]
        assert mail["Subject"] == "Re: New date (was: Plans)"
        assert first["Message-ID"] in ids(mail["References"])


def test_a_subject_is_shown_to_nobody_outside_who_did_not_get_it(gateway, bob_to_alice):
    """Bob answers Alice alone, in the thread that she has with him and Carol."""
    gateway.open_door(CAROL, bob_to_alice)
    bob_to_alice.post([BOB, CAROL], "Message 0", subject="Plans")
    first = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    send(gateway.smtp_port, make_mail("Carol must not know", "Answer 0\n", references=[first["Message-ID"]]))
    received = bob_to_alice.receive_mail("Carol must not know")
    gateway.wait_settled()
    bob_to_alice.post([BOB, CAROL], "Message 1", thread=received["threadid"])
    mail = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir)[1:])[0]
    assert mail["Subject"] == "Re: Plans"


def test_an_answer_without_a_subject_leaves_the_threads(gateway, bob_to_alice):
    bob_to_alice.post(BOB, "Message 0", subject="Plans")
    first = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    answer = make_mail("x", "Answer 0\n", references=[first["Message-ID"]])
    del answer["Subject"]
    send(gateway.smtp_port, answer)
    received = bob_to_alice.receive_where("the answer", lambda item: item["op"] == "delivery" and "Answer 0" in item["body"])
    assert received["subject"] == ""
    gateway.wait_settled()
    bob_to_alice.post(BOB, "Message 1", thread=received["threadid"])
    mail = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir)[1:])[0]
    assert mail["Subject"] == "Re: Plans"
