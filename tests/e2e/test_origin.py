"""Who the client really is, when a mail server says it: Postfix with XFORWARD, swaks with XCLIENT. In the trace, the log, and Received."""
import glob
import os
import re
import smtplib
import subprocess

import pytest

from conftest import needs_root, run_instance
from documents import block, postfix_block
from mail import ALICE, BOB, make_mail, send
from postfix import Front
from procs import PATIENCE

CLIENT = "127.0.0.77"
XFORWARD_LISTEN = "# postern.conf: Postfix says from whom it has the mail (in its listen section)"
XFORWARD_MAIN = "# main.cf: Postern is told from whom the mail is"
WAYS = {
    "lmtp": ("# main.cf: mail for the silo's domain goes to Postern, by LMTP over TCP", ""),
    "smtp": ("# main.cf: mail for the silo's domain goes to Postern, by SMTP", "# master.cf: SMTP to Postern"),
}


def open_door(gateway, alice):
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)


@pytest.fixture(params=WAYS)
def front(request, stopped_gateway, alice):
    """Postfix with the document's lines, in front of a gateway that believes it."""
    needs_root()
    first_line, service = WAYS[request.param]
    lines = block("docs/postfix.md", XFORWARD_LISTEN)
    stopped_gateway.listen_extra = stopped_gateway.lmtp_extra = lines
    ports = {"_2424": stopped_gateway.lmtp_port} if request.param == "lmtp" else {"_2525": stopped_gateway.smtp_port}
    settings = postfix_block(first_line, **ports) + block("docs/postfix.md", XFORWARD_MAIN)
    open_door(stopped_gateway, alice)
    yield from run_instance(Front(settings, block("docs/postfix.md", service) if service else ""), request)


def make_odd_mail(subject):
    """A mail that the member gets with the original attached: its charset is unknown."""
    mail = make_mail(subject)
    mail.replace_header("Content-Type", "text/plain; charset=x-of-no-one")
    return mail


def newest_received(alice):
    """The first Received field of the attached original, in one line."""
    for path in glob.glob(os.path.join(alice.files, "**"), recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                data = file.read()
            if data.startswith(b"Received: "):
                return re.sub(r"\r\n[\t ]", " ", data.decode()).split("\r\n", maxsplit=1)[0]
    raise AssertionError("no original is attached")


def test_the_client_of_postfix(front, stopped_gateway, alice):
    mail = make_odd_mail("From far away")
    with smtplib.SMTP("127.0.0.1", front.port, "far.example", PATIENCE, source_address=(CLIENT, 0)) as connection:
        connection.sendmail(BOB, [ALICE], mail.as_bytes())
    alice.receive_mail("From far away")
    why = stopped_gateway.ctl("why", mail["Message-ID"])
    assert re.search(rf"says of its client: .*address {re.escape(CLIENT)}, port \d+, HELO far\.example, with ESMTP, id there \w+", why), why
    assert f"address={CLIENT}" in stopped_gateway.read_log()
    received = newest_received(alice)
    assert re.match(rf"Received: from far\.example \(.*\[{re.escape(CLIENT)}\]\) \(told by \[127\.0\.0\.1\]\) by \S+ \(Postern\) with E?[LS]MTP id ", received)
    identifier = re.search(r" id (\S+)", received).group(1)
    assert f" id {identifier}" in why and f"transaction={identifier} " in stopped_gateway.read_log()


@pytest.mark.parametrize("address,client", [("203.0.113.9", "203.0.113.9"), ("IPV6:2001:db8::9", "[2001:db8::9]")])
def test_swaks_with_xclient(stopped_gateway, alice, address, client):
    gateway = stopped_gateway
    gateway.listen_extra = 'xclient = { "127.0.0.1" }\n  clients = { "127.0.0.1", "203.0.113.9", "2001:db8::9" }'
    open_door(gateway, alice)
    mail = make_odd_mail("Of somebody else")
    command = ["swaks", "--server", "127.0.0.1", "--port", str(gateway.smtp_port), "--from", BOB, "--to", ALICE, "--data", "-",
               "--xclient", f"NAME=out.example.com ADDR={address} HELO=told.example"]
    result = subprocess.run(command, input=mail.as_bytes(), capture_output=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stdout
    alice.receive_mail("Of somebody else")
    assert f"from {client} (told.example) through 127.0.0.1:" in gateway.ctl("why", mail["Message-ID"])
    assert newest_received(alice).startswith("Received: from told.example (out.example.com [")


@pytest.mark.parametrize("lines", [1, 2000, 20000], ids=["small", "in-memory", "in-a-file"])
def test_a_repetition_is_known_behind_another_received_field(gateway, bob_to_alice, lines):
    """What comes again is the same mail, though the field that we put before it is another."""
    mail = make_mail("Once", "Hello Alice, here I am.\n" * lines)
    for reply in ("accepted as", "accepted before as"):
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=PATIENCE) as connection:
            connection.ehlo()
            connection.mail(BOB)
            connection.rcpt(ALICE)
            assert reply in connection.data(mail.as_bytes())[1].decode()
    bob_to_alice.receive_mail("Once")


def test_our_own_received_field_is_not_counted(gateway, bob_to_alice):
    """A hundred hops are allowed; the field that we add is not one of them."""
    mail = make_mail("Far travelled").as_bytes()
    hop = b"Received: from a.example by b.example; Thu, 26 Nov 2026 01:02:03 +0000\r\n"
    send(gateway.smtp_port, 100 * hop + mail)
    bob_to_alice.receive_mail("Far travelled")
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        send(gateway.smtp_port, 101 * hop + mail)
    assert refusal.value.smtp_code == 554


def test_a_client_from_before_a_reload_is_not_believed(gateway, bob_to_alice):
    """The listener believes what mx.test says of a mail; who may come in is another one from now on."""
    mails = [make_mail(subject).as_bytes() for subject in ("Before", "After")]
    with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=PATIENCE) as before:
        before.sendmail(BOB, [ALICE], mails[0])
        before.mail(BOB)
        before.rcpt(ALICE)
        gateway.listen_extra = 'clients = { "192.0.2.7" }'
        gateway.write_config()
        gateway.ctl("reload")
        code, text = before.data(mails[1])
        assert (code, text.decode()) == (451, "4.7.0 DMARC of example.com could not be checked, please try again later")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            before.mail(BOB)
            before.noop()
    bob_to_alice.receive_mail("Before")
