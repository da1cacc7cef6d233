"""STARTTLS and implicit TLS, towards senders and towards the relay."""
import smtplib
import ssl
import subprocess

import pytest

from mail import ALICE, BOB, make_mail
from postern import Conversation
from procs import PATIENCE


@pytest.fixture
def tls_gateway(stopped_gateway, alice, folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=gw.example.org", "-addext", "subjectAltName=DNS:gw.example.org",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"], check=True, capture_output=True)
    stopped_gateway.listen_extra = f'tls = may\n  certificate = "{folder}/cert.pem"\n  key = "{folder}/key.pem"'
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    stopped_gateway.open_door(BOB, alice)
    return stopped_gateway


def client_context(gateway):
    return ssl.create_default_context(cafile=f"{gateway.folder}/cert.pem")


class NamedSmtp(smtplib.SMTP):
    """Connects to 127.0.0.1, and expects the certificate of gw.example.org."""
    def starttls(self, context):
        self._host = "gw.example.org"
        return super().starttls(context=context)


def test_starttls(tls_gateway, alice):
    with NamedSmtp("127.0.0.1", tls_gateway.smtp_port, timeout=PATIENCE) as smtp:
        smtp.ehlo("client.test")
        assert smtp.has_extn("starttls")
        smtp.starttls(client_context(tls_gateway))
        smtp.ehlo("client.test")
        assert not smtp.has_extn("starttls"), "not offered twice"
        assert smtp.sock.version() in ("TLSv1.2", "TLSv1.3")
        smtp.sendmail(BOB, [ALICE], make_mail("Over TLS").as_bytes())
    alice.receive_mail("Over TLS")


def test_nothing_is_taken_from_before_the_handshake(tls_gateway):
    """Commands that were sent in plain behind STARTTLS must not run as if they had come encrypted."""
    with Conversation(tls_gateway.smtp_port) as smtp:
        smtp.greet()
        smtp.send("STARTTLS\r\nNOOP\r\n")
        reply = smtp.reply()
        if reply.startswith("220"):   # then the plain command must never be answered
            smtp.socket.settimeout(5)
            with pytest.raises((TimeoutError, ConnectionError, AssertionError)):
                assert smtp.reply()
        else:
            assert reply[0] in "45", reply


def test_old_tls_is_refused(tls_gateway):
    context = client_context(tls_gateway)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with NamedSmtp("127.0.0.1", tls_gateway.smtp_port, timeout=PATIENCE) as smtp:
        smtp.ehlo("client.test")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            smtp.starttls(context)


def test_required_tls(tls_gateway):
    tls_gateway.stop()
    tls_gateway.listen_extra = tls_gateway.listen_extra.replace("tls = may", "tls = require")
    tls_gateway.start()
    with Conversation(tls_gateway.smtp_port) as smtp:
        smtp.greet()
        smtp.expect(f"MAIL FROM:<{BOB}>", "530")
    with NamedSmtp("127.0.0.1", tls_gateway.smtp_port, timeout=PATIENCE) as smtp:
        smtp.starttls(client_context(tls_gateway))
        smtp.ehlo("client.test")
        assert smtp.mail(BOB)[0] == 250


def test_implicit_tls(tls_gateway, alice):
    tls_gateway.stop()
    tls_gateway.listen_extra = tls_gateway.listen_extra.replace("tls = may", "tls = implicit")
    tls_gateway.start()
    context = client_context(tls_gateway)
    context.check_hostname = False
    with smtplib.SMTP_SSL("127.0.0.1", tls_gateway.smtp_port, timeout=PATIENCE, context=context) as smtp:
        smtp.sendmail(BOB, [ALICE], make_mail("All TLS").as_bytes())
    alice.receive_mail("All TLS")
