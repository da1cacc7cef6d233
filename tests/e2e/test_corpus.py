"""Every message of tests/corpora/in goes through Postfix (unless it is binary) and the gateway to the
member, and arrives as its .expect and .md say. Left out are those that need other settings, or that no gateway takes.
"""
import glob
import hashlib
import json
import os

import pytest

from mail import ALICE, BOB, make_mail, send
from postern import AUTHSERV_ID, Conversation
from procs import DEV, PATIENCE, RELEASE, ROOT, wait_until

CORPUS = os.path.join(ROOT, "tests", "corpora", "in")
NAMES = sorted(os.path.basename(path)[:-len(".eml")] for path in glob.glob(os.path.join(CORPUS, "*.eml")))
EXPECTED = {}
for NAME in NAMES:
    with open(os.path.join(CORPUS, NAME + ".expect"), encoding="utf-8") as FILE:
        EXPECTED[NAME] = json.load(FILE)
    with open(os.path.join(CORPUS, NAME + ".md"), encoding="utf-8", newline="") as FILE:
        EXPECTED[NAME]["body"] = FILE.read()
SENT = [name for name in NAMES if "not_sent" not in EXPECTED[name] and set(EXPECTED[name].get("options", {})) <= {"automatic"}]
BIG = 10 * 1024 * 1024


def compare(received, expected, digests):
    """Lists what is not as expected."""
    wrong = []
    if received["subject"] != expected["subject"]:
        wrong.append(f"subject is {received['subject']!r}")
    wrong += [f"body lacks {text!r}" for text in expected.get("body_contains", []) if text not in received["body"]]
    wrong += [f"body has {text!r}" for text in expected.get("body_lacks", []) if text in received["body"]]
    if not wrong and received["body"] != expected["body"]:
        wrong.append(f"body is {received['body']!r}")
    attached = {attachment["name"].removeprefix("u:"): attachment["size"] for attachment in received.get("attach") or []}
    for attachment in expected.get("attachments", []):
        if attachment["name"] not in attached:
            wrong.append(f"no attachment {attachment['name']!r} among {sorted(attached)}")
        elif attached[attachment["name"]] != attachment.get("size", attached[attachment["name"]]):
            wrong.append(f"{attachment['name']!r} has {attached[attachment['name']]} bytes")
        elif "sha256" in attachment and attachment["sha256"] not in digests:
            wrong.append(f"{attachment['name']!r} has another content")
    if expected.get("no_other_attachments") and len(attached) != len(expected.get("attachments", [])):
        wrong.append(f"attachments are {sorted(attached)}")
    return wrong


def send_in_a_chunk(port, data):
    """Without Postfix, which does not carry binary content: with the verdict that it would have brought."""
    data = f"Authentication-Results: {AUTHSERV_ID}; dmarc=pass header.from=example.com\r\n".encode() + data
    with Conversation(port) as smtp:
        smtp.greet()
        smtp.send(f"MAIL FROM:<{BOB}> BODY=BINARYMIME\r\nRCPT TO:<{ALICE}>\r\nBDAT {len(data)} LAST\r\n".encode() + data)
        replies = [smtp.reply() for _ in range(3)]
        assert [reply[:3] for reply in replies] == ["250"] * 3, replies


def receive_all(member, count):
    """In a few connections: one for each mail would take minutes. However slow the machine, as long as more comes it is waited for."""
    while len(member.mails()) < count:
        before = len(member.mails())

        def look(before=before):
            member.receive(wait=5, count=count - before)
            return len(member.mails()) > before

        wait_until(f"mail {before + 1} of {count} is received", look)
    return member.mails()


# Sanitized workers have no sandbox: only the release build shows that the system calls it allows are enough.
@pytest.mark.parametrize("stopped_gateway", [DEV, RELEASE], indirect=True, ids=["sanitized", "sandboxed"])
def test_corpus_goes_through_the_circle(mx, gateway, bob_to_alice):
    """All files in one go: what one of them breaks must not hold up the next."""
    problems = []
    for name in SENT:
        with open(os.path.join(CORPUS, name + ".eml"), "rb") as file:
            data = file.read()
        if b"\0" in data:
            send_in_a_chunk(gateway.smtp_port, data)
        else:
            send(mx.port, data)
    mails = receive_all(bob_to_alice, len(SENT))   # retries of Postfix may have changed the order
    by_subject = {mail["subject"]: mail for mail in mails}
    assert len(by_subject) == len(mails), "each file has a subject of its own"
    for name in SENT:
        expected = EXPECTED[name]
        received = by_subject.get(expected["subject"])
        if received is None:
            problems.append(f"{name}: nothing came with subject {expected['subject']!r} (came: {sorted(by_subject)})")
            continue
        assert received["alias"] == BOB
        problems += [f"{name}: {wrong}" for wrong in compare(received, expected, bob_to_alice.saved_digests())]
    assert not problems, "\n".join(problems)
    assert gateway.ctl_json("status")["worker_crashes"] == 0


def big_content():
    """Ten megabytes that no compression or line ending makes smaller or other."""
    block = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(2048))
    return (block * (BIG // len(block) + 1))[:BIG]


def test_ten_megabytes_attached(mx, gateway, bob_to_alice):
    mail = make_mail("Ten megabytes", proven=False)
    content = big_content()
    mail.add_attachment(content, maintype="application", subtype="octet-stream", filename="big.bin")
    send(mx.port, mail)
    received = bob_to_alice.receive_mail("Ten megabytes")
    assert [attachment["size"] for attachment in received["attach"]] == [BIG]
    assert hashlib.sha256(content).hexdigest() in bob_to_alice.saved_digests()


def test_expectations_can_fail():
    """A message that has nothing of what is expected does not pass for it."""
    passing = [name for name in NAMES if not compare({"subject": "another", "body": "", "attach": []}, EXPECTED[name], {})]
    assert not passing
