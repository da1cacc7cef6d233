"""What files a mapping lets in: judged before the mail is answered, for each recipient, by name and by content."""
import contextlib
import json
import os
import signal
import smtplib
import threading

import pytest

from conftest import needs_root, run_instance
from mail import ALICE, BOB, make_mail, send
from postern import AUTHSERV_ID, DOMAIN, Conversation, Member
from postfix import Front, read_maildir
from procs import PATIENCE, wait_until
from reports import send as send_asking
from reports import reports_in, story
from test_content import children
from test_returns import return_path
from test_postfix_transport import front_by_lmtp, front_by_smtp

CAROL = f"carol@{DOMAIN}"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0"
EXE = b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0\xb8" + b"\0" * 64


def with_files(subject, *files, **how):
    """A mail with (name, content) attached, each under the type that its name's end has."""
    mail = make_mail(subject, **how)
    for name, content in files:
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return mail


def with_logo(subject):
    """Text, and the same as a page with the picture of a firm in its signature."""
    mail = make_mail(subject)
    mail.add_alternative("<p>Hello Alice</p><img src='cid:logo@example.com'>", subtype="html")
    mail.get_payload()[1].add_related(PNG, maintype="image", subtype="png", cid="<logo@example.com>", filename="logo.png")
    return mail


def answer(port, mail, recipients=(ALICE,), sender=BOB):
    """The server's last words, as "550 5.7.1 ..."."""
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as connection:
        connection.ehlo_or_helo_if_needed()
        assert connection.mail(sender)[0] == 250
        for recipient in recipients:
            assert connection.rcpt(recipient)[0] == 250
        code, text = connection.data(mail.as_bytes())
        return f"{code} {text.decode()}"


def lmtp_answers(gateway, data, *recipients):
    with Conversation(gateway.lmtp_port) as lmtp:
        lmtp.greet("LHLO")
        lmtp.envelope(BOB, *recipients)
        return [lmtp.data(data + b".\r\n")] + [lmtp.reply() for _ in recipients[1:]]


def change_rule(gateway, alias, rule, address=BOB):
    """The pair gets a new mapping: limits of one are never changed."""
    for mapping in gateway.ctl_json("mapping", "list", "--address", address, "--member", alias)["mappings"]:
        if mapping["state"] == "approved":
            gateway.ctl("mapping", "revoke", str(mapping["id"]))
    return gateway.ctl_json("mapping", "add", address, alias, "--attachments", rule)


@pytest.fixture
def door(gateway, bob_to_alice):
    """Bob may send PDF files and pictures to Alice."""
    change_rule(gateway, "Alice Member", "pdf,image/*")
    gateway.alice = bob_to_alice
    return gateway


@pytest.fixture
def carol(door, folder, silo):
    """Bob may send everything to her."""
    member = Member(folder, silo, "Carol Member")
    door.introduce(member, "carol")
    door.ctl("mapping", "add", BOB, "Carol Member")
    return member


@pytest.mark.parametrize("files, reply", [
    ([], "250"),
    ([("report.pdf", PDF)], "250"),
    ([("report.pdf", PDF), ("photo.png", PNG)], "250"),
    ([("report", PDF)], "250"),
    ([("setup.exe", EXE)], '550 5.7.1 "setup.exe": <bob@example.com> may send only .pdf, image/* to <alice@'),
    ([("report.pdf", EXE)], '550 5.7.1 "report.pdf" is a program for Windows: <bob@example.com> may send only'),
    ([("report.pdf", PDF), ("report.pdf.exe", EXE)], '550 5.7.1 "report.pdf.exe": <bob@example.com> may send only'),
    ([("photo.png", b"<html><script>x()</script></html>")], '550 5.7.1 "photo.png" is a web page: '),
    ([("r\u00e4tsel.exe", EXE)], '550 5.7.1 "r\\x{E4}tsel.exe": '),
], ids=["none", "pdf", "pdf-and-picture", "without-extension", "program", "program-called-pdf", "second-file", "page-called-png", "name"])
def test_a_file_is_let_in_by_its_name_and_its_content(door, files, reply):
    said = answer(door.smtp_port, with_files("Files", *files))
    assert said.startswith(reply), said
    if reply == "250":
        received = door.alice.receive_mail("Files")
        assert len(received.get("attach") or []) == len(files)
    else:
        assert not door.queue("in")


def test_no_lets_no_file_in_and_still_lets_mail_in(door):
    change_rule(door, "Alice Member", "no")
    assert answer(door.smtp_port, make_mail("Words only")).startswith("250")
    door.alice.receive_mail("Words only")
    assert answer(door.smtp_port, with_files("A file", ("report.pdf", PDF))).startswith(
        '550 5.7.1 "report.pdf": <bob@example.com> may not send files to <alice@')


@pytest.mark.parametrize("rule, reply", [("image/*", "250"), ("yes", "250"), ("pdf", '550 5.7.1 "logo.png": '),
                                         ("no", '550 5.7.1 "logo.png": ')])
def test_the_picture_in_a_signature_is_a_file(door, rule, reply):
    change_rule(door, "Alice Member", rule)
    assert answer(door.smtp_port, with_logo("With a logo")).startswith(reply)


def test_why_says_which_file_came_in_by_what(door):
    said = answer(door.smtp_port, with_files("Traced", ("report.pdf", PDF), ("photo.jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF")))
    entry = said.split()[4]
    door.alice.receive_mail("Traced")
    events = story(door, entry)
    assert f'files: for {ALICE}: "report.pdf" by .pdf, "photo.jpeg" by image/*' in events
    said = answer(door.smtp_port, make_mail("Without"))
    assert f"files: for {ALICE}: it has none" in story(door, said.split()[4])


def test_over_lmtp_each_recipient_has_a_verdict(door, carol):
    said = lmtp_answers(door, with_files("For two", ("setup.exe", EXE)).as_bytes(), ALICE, CAROL)
    assert said[0].startswith('550 5.7.1 "setup.exe"') and said[1].startswith("250"), said
    assert carol.receive_mail("For two")["attach"]
    door.alice.receive(wait=1)
    assert not door.alice.mails()


def test_over_smtp_the_others_get_it_and_a_report_says_who_does_not(door, carol):
    """Each time: that other mail may not come in is news, unlike that somebody may not write at all."""
    for number, subject in enumerate(["First", "Second"], 1):
        said = send_asking(door.smtp_port, with_files(subject, ("setup.exe", EXE)), recipients=[ALICE, CAROL])
        assert said.startswith("250") and "but not for all recipients" in said, said
        carol.receive_mail(subject)
        reports = wait_until("a report comes", lambda: len(reports_in(door.maildir)) == number and reports_in(door.maildir))
        for report in reports:
            assert report.status_of(ALICE)["Status"] == "5.7.1"
            assert '"setup.exe"' in report.text and len(report.recipients) == 1
    door.alice.receive(wait=1)
    assert not door.alice.mails()


def test_files_hidden_from_mail_programs_of_another_kind_are_found(door):
    """What the member would get is judged, not what the sender says that it is."""
    mail = make_mail("Disguised")
    mail.add_attachment(EXE, maintype="image", subtype="png", filename="photo.png")
    assert answer(door.smtp_port, mail).startswith('550 5.7.1 "photo.png" is a program for Windows')
    mail = make_mail("In a message")
    mail.add_attachment(with_files("Inner", ("setup.exe", EXE)))
    assert answer(door.smtp_port, mail).startswith('550 5.7.1 "Inner.eml"')


@pytest.mark.parametrize("name, content, is_let_in", [("a.pdf", PDF, True), ("setup.exe", EXE, False)])
def test_an_automatic_answer_to_a_return_address_may_carry_no_more(door, name, content, is_let_in):
    """Else it is told as the answer of a stranger is: what it says, without its files."""
    door.alice.post(BOB, "Are you there?", subject="Hello")
    sent = wait_until("it leaves", lambda: read_maildir(door.maildir))[0]
    back = with_files("Out of office", (name, content), body="I am away\n", recipient=return_path(sent), references=[sent["Message-ID"]])
    back["Auto-Submitted"] = "auto-replied"
    said = answer(door.smtp_port, back, recipients=[return_path(sent)])
    assert said.startswith("250"), said
    told = door.alice.receive_where("the answer", lambda item: item["op"] == "delivery" and "I am away" in item["body"])
    assert bool(told["attach"]) == is_let_in and ("could not be verified" in told["body"]) != is_let_in
    refusals = [line for line in story(door, said.split()[4]) if "as an answer it is not let in: \"setup.exe\"" in line]
    assert bool(refusals) != is_let_in


def test_mail_that_nobody_can_read_is_not_let_in(door, carol):
    """It would reach the member as a file, with whatever is in it."""
    head = make_mail("Endless").as_bytes().partition(b"Content-Type")[0]
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (i, i) for i in range(200))
    mail = head + deep + b"Content-Type: text/plain\r\n\r\nHello\r\n"
    said = lmtp_answers(door, mail, ALICE, CAROL)
    assert said[0].startswith("550 5.7.1 what is in this message can't be told") and said[1].startswith("250"), said
    carol.receive_mail("Endless")


def raw(subject, content):
    """A mail whose content stands there as it is, from its Content-Type on."""
    head = make_mail(subject).as_bytes()
    return head[:head.index(b"Content-Type")] + content.replace("\n", "\r\n").encode("latin-1")


SIGNED = """\
Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="s"

--s
Content-Type: {type}

Hello
--s
Content-Type: application/pkcs7-signature; name="smime.p7s"
Content-Transfer-Encoding: base64

MIIB
--s--
"""
CALLED_A_SIGNATURE = SIGNED.replace('"smime.p7s"', '"setup.exe"').format(type="text/plain")
PROGRAM_AS_SIGNATURE = SIGNED.replace("MIIB", "TVqQAAMAAAAEAAAA").format(type="text/plain")
DAMAGED = """\
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain

Hello
--b
Content-Type: application/pdf; name="a.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjc=JVBERi0xLjcK
--b--
"""
BROKEN = """\
Content-Type: multipart/mixed; boundary="other"

This is a multi-part message in MIME format.
Content-Type: application/octet-stream; name="setup.exe"

Hello
"""


@pytest.mark.parametrize("rule, content, reply", [
    ("no", "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nSGVsbG8=SGVsbG8=\n", "250"),
    ("no", SIGNED.format(type="text/plain"), "250"),
    ("pdf", SIGNED.format(type="application/octet-stream; name=setup.exe"), '550 5.7.1 "setup.exe": '),
    ("no", CALLED_A_SIGNATURE, '550 5.7.1 "setup.exe": '),
    ("p7s", PROGRAM_AS_SIGNATURE, '550 5.7.1 "smime.p7s" is a program for Windows: '),
    ("pdf", DAMAGED, "550 5.7.1 what is in this message can't be told: "),
    ("pdf", BROKEN, "550 5.7.1 what is in this message can't be told: "),
], ids=["damaged-text", "signed", "program-signed", "called-a-signature", "program-as-signature", "damaged", "broken"])
def test_the_original_beside_it_is_judged_by_what_was_sent(door, rule, content, reply):
    """What the gateway attaches itself is no reason to refuse a mail, unless more may be in it than was found."""
    change_rule(door, "Alice Member", rule)
    with smtplib.SMTP("127.0.0.1", door.smtp_port, timeout=PATIENCE) as connection:
        connection.ehlo()
        connection.mail(BOB)
        connection.rcpt(ALICE)
        code, text = connection.data(raw("Original", content))
    assert f"{code} {text.decode()}".startswith(reply), text
    if reply == "250":
        assert [item["name"] for item in door.alice.receive_mail("Original")["attach"]] == ["u:original.eml"]


@pytest.mark.parametrize("name, rule, reply", [
    ("tnef-attachments", "pdf,dwg", "250"),
    ("tnef-attachments", "pdf", '550 5.7.1 "gate.dwg": '),
    ("tnef-picture", "no", '550 5.7.1 "image001.png": '),
    ("calendar-google-invitation", "text/calendar", "250"),
    ("calendar-google-invitation", "pdf", "550 5.7.1 "),
])
def test_what_the_member_would_get_is_judged(door, name, rule, reply):
    """What is inside of a winmail.dat; the invitation beside its summary."""
    change_rule(door, "Alice Member", rule)
    path = os.path.join(os.path.dirname(__file__), "..", "corpora", "in", f"{name}.eml")
    with open(path, "rb") as file:
        mail = f"Authentication-Results: {AUTHSERV_ID}; dmarc=pass header.from=example.com\r\n".encode() + file.read()
    with smtplib.SMTP("127.0.0.1", door.smtp_port, timeout=PATIENCE) as connection:
        connection.ehlo()
        connection.mail(BOB)
        connection.rcpt(ALICE)
        code, text = connection.data(mail)
    assert f"{code} {text.decode()}".startswith(reply), text


def test_a_large_file_is_judged_by_its_beginning(door):
    big = PDF + bytes(range(256)) * (12 * 4096)
    assert answer(door.smtp_port, with_files("Large", ("big.pdf", big))).startswith("250")
    assert door.alice.receive_mail("Large")["attach"][0]["size"] == len(big)
    assert answer(door.smtp_port, with_files("Large program", ("big.pdf", EXE + big))).startswith("550 5.7.1")


def test_many_sessions_are_served_in_turn(door):
    """More at once than are looked at: all get their verdict."""
    said, threads = {}, []
    for number in range(24):
        mail = with_files(f"At once {number}", ("a.pdf", PDF if number % 3 else EXE))
        threads.append(threading.Thread(target=lambda n=number, m=mail: said.update({n: answer(door.smtp_port, m)})))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert {n: text[:3] for n, text in said.items()} == {n: "250" if n % 3 else "550" for n in range(24)}
    wait_until("all are posted", lambda: not door.queue("in"))
    door.alice.receive(wait=2)
    assert len([mail for mail in door.alice.mails() if mail["subject"].startswith("At once")]) == 16


@contextlib.contextmanager
def frozen_workers(gateway):
    """No convert worker does anything meanwhile. One is there already: they are made when they are needed."""
    assert answer(gateway.smtp_port, with_files("First", ("a.pdf", PDF))).startswith("250")
    wait_until("it is posted", lambda: not gateway.queue("in"))
    workers = children(gateway.process)
    assert len(workers) > 1
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def begin_mail(gateway, mail):
    """A conversation in which all of the mail is sent, and the answer is not read."""
    smtp = Conversation(gateway.smtp_port)
    smtp.greet()
    smtp.envelope(BOB, ALICE)
    smtp.expect("DATA", "354")
    smtp.send(mail.as_bytes() + b".\r\n")
    return smtp


def test_mail_that_needs_no_look_does_not_wait_for_the_workers(door, carol):
    with frozen_workers(door):
        waiting = [begin_mail(door, with_files(f"Waits {number}", ("a.pdf", PDF))) for number in range(20)]
        assert send_to(door, carol, with_files("Needs none", ("setup.exe", EXE))).startswith("250")
        assert door.ctl_json("status")["silo_state"] == "online"
    for smtp in waiting:
        assert smtp.reply().startswith("250")
        smtp.__exit__()
    wait_until("all are posted", lambda: not door.queue("in"))
    door.alice.receive(wait=1)
    assert len(door.alice.mails()) == 21
    carol.receive_mail("Needs none")


def send_to(gateway, member, mail):
    return answer(gateway.smtp_port, mail, recipients=[f"{member.alias.split()[0].lower()}@{DOMAIN}"])


def test_mail_whose_sender_has_gone_meanwhile_arrives_once(door):
    mail = with_files("Once", ("a.pdf", PDF))
    with frozen_workers(door):
        begin_mail(door, mail).__exit__()
        wait_until("the gateway has it", lambda: "from=data to=asking" in door.read_log().rpartition("smtp.connect")[2])
    wait_until("it is taken", lambda: "from=asking to=ready" in door.read_log().rpartition("smtp.connect")[2])
    assert answer(door.smtp_port, mail).startswith("250 2.6.0 accepted before as")
    door.alice.receive_mail("Once")
    door.alice.receive(wait=1)
    assert [item["subject"] for item in door.alice.mails()].count("Once") == 1


@pytest.mark.parametrize("rule, code", [(None, "550 5.7.1"), ("no", "451 4.3.0")], ids=["revoked", "replaced"])
def test_a_mapping_that_ends_while_files_are_looked_at_lets_nothing_in(door, rule, code):
    """What was judged by one is not kept under another: it comes again, and is judged anew."""
    door.ctl("mapping", "add", "carol@example.com", "Alice Member")   # so that somebody may write to her
    with frozen_workers(door):
        smtp = begin_mail(door, with_files("Too late", ("a.pdf", PDF)))
        wait_until("the gateway has it", lambda: "from=data to=asking" in door.read_log().rpartition("smtp.connect")[2])
        if rule:
            change_rule(door, "Alice Member", rule)
        else:
            door.ctl("mapping", "revoke", str(door.ctl_json("mapping", "list", "--state", "approved", "--address", BOB)["mappings"][0]["id"]))
    assert smtp.reply().startswith(code)
    smtp.__exit__()
    assert not door.queue("in")


def test_stopping_does_not_wait_for_frozen_workers(door):
    with frozen_workers(door):
        waiting = [begin_mail(door, with_files(f"Stopped {number}", ("a.pdf", PDF))) for number in range(12)]
        door.stop()
    for smtp in waiting:
        said = smtp.reply()
        assert not said.startswith("250"), "nobody may believe that it was taken"
        smtp.__exit__()
    door.start()
    door.wait_online()
    assert not door.queue("in")
    assert answer(door.smtp_port, with_files("Afterwards", ("a.pdf", PDF))).startswith("250")
    door.alice.receive_mail("Afterwards")


def test_a_worker_that_dies_over_a_mail_is_no_open_door(door):
    """It is tried by another; and what ends two of them is not let in."""
    def kill_workers():
        for pid in children(door.process):
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                if f"PPid:\t{door.process.pid}\n" not in file.read():
                    os.kill(pid, signal.SIGKILL)

    with frozen_workers(door):
        smtp = begin_mail(door, with_files("Deadly", ("a.pdf", PDF)))
        wait_until("it is looked at", lambda: "to=busy" in door.read_log().rpartition("to=asking")[2])
        kill_workers()
    assert smtp.reply().startswith("250"), "the second has read it"
    smtp.__exit__()
    door.alice.receive_mail("Deadly")


def test_administrators_see_and_give_the_rule(door):
    shown = door.ctl_json("mapping", "list", "--member", "Alice Member", "--state", "approved")["mappings"]
    assert [mapping["attachments"] for mapping in shown] == [".pdf, image/*"]
    assert door.ctl_json("mapping", "show", str(shown[0]["id"]))["attachments"] == ".pdf, image/*"
    added = door.ctl_json("mapping", "add", "dave@example.com", "Alice Member")
    assert added["attachments"] == "yes"
    for wrong, why in [("", "it is empty"), ("pdf,yes", "stand alone"), ("*.pdf", '"*.pdf": it is neither'),
                       ("chemical/x-pdb", "no extension is known")]:
        said = door.ctl("mapping", "add", "erin@example.com", "Alice Member", "--attachments", wrong, expect=2)
        assert "--attachments takes yes, no or a list" in said and why in said
    assert "erin@example.com" not in json.dumps(door.ctl_json("mapping", "list"))


# Through Postfix: what is refused after the data bounces, or is refused to its client's face.


@pytest.fixture(params=[front_by_lmtp, front_by_smtp], ids=["lmtp", "smtp"])
def front(request, stopped_gateway):
    needs_root()
    yield from run_instance(request.param(stopped_gateway), request)


def test_behind_postfix_what_is_let_in_arrives_and_the_rest_bounces(front, stopped_gateway, silo, folder):
    gateway = stopped_gateway
    gateway.start()
    members = {name: Member(folder, silo, f"{name.title()} Member") for name in ("alice", "carol")}
    for name, member in members.items():
        gateway.introduce(member, name)
    gateway.ctl("mapping", "add", BOB, "Alice Member", "--attachments", "pdf")
    gateway.ctl("mapping", "add", BOB, "Carol Member")
    send(front.port, with_files("Let in", ("report.pdf", PDF), proven=False))
    assert members["alice"].receive_mail("Let in")["attach"]
    send(front.port, with_files("For one of two", ("setup.exe", EXE), proven=False), recipients=[ALICE, CAROL])
    assert members["carol"].receive_mail("For one of two")["attach"]
    wait_until("Postfix has given up", lambda: "bounced" in front.statuses().get(ALICE, []))
    assert 'said: 550 5.7.1 "setup.exe": <bob@example.com>' in front.read_log()
    assert not members["alice"].receive(wait=1)
