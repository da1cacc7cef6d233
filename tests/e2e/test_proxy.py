"""Behind a proxy that says by the PROXY protocol who the client is: HAProxy, and swaks in its place.

All is on 127.0.0.1 but for the clients, which have other addresses of the loopback network.
"""
import re
import smtplib
import socket
import ssl
import subprocess

import pytest

from documents import adapt, block
from haproxy import HAProxy
from mail import ALICE, BOB, make_mail
from procs import PATIENCE, wait_until

CLIENT, STRANGER = "127.0.0.77", "127.0.0.78"
PROXIED = 'proxy_protocol = { "127.0.0.1" }'
WITH_CLIENTS = "\n".join(adapt(block("docs/INSTALLING.md", "# postern.conf"), {
    "192.0.2.10": "127.0.0.1", "198.51.100.0/24": CLIENT}).splitlines()[3:5])   # without address and what it trusts


@pytest.fixture
def proxied_gateway(stopped_gateway, alice):
    """A function that starts the gateway with these lines in its listener, so that Bob may write to Alice."""
    def start(lines):
        stopped_gateway.listen_extra = lines
        stopped_gateway.start()
        stopped_gateway.introduce(alice, "alice")
        stopped_gateway.open_door(BOB, alice)
        return stopped_gateway
    return start


@pytest.fixture
def haproxy(folder, stopped_gateway):
    """A function that starts HAProxy in front of the gateway, with these options of its `server`."""
    started = []

    def start(options):
        started.append(HAProxy(folder, stopped_gateway.smtp_port, options))
        started[0].start()
        return started[0]
    yield start
    for server in started:
        server.end()


def send_from(address, port, mail, kind=smtplib.SMTP, **options):
    with kind("127.0.0.1", port, timeout=PATIENCE, source_address=(address, 0), **options) as connection:
        own = connection.sock.getsockname()
        connection.sendmail(BOB, [ALICE], mail.as_bytes())
    return f"{own[0]}:{own[1]}"


@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
def test_the_client_behind_haproxy(proxied_gateway, haproxy, alice, options):
    gateway = proxied_gateway(WITH_CLIENTS)
    proxy = haproxy(options)
    wait_until("the health check is answered", lambda: proxy.check() == "L7OK")
    mail = make_mail("Through a proxy")
    client = send_from(CLIENT, proxy.port, mail)
    alice.receive_mail("Through a proxy")
    assert re.search(rf"from {client} \(.*\) through 127\.0\.0\.1:\d+ by listener smtp", gateway.ctl("why", mail["Message-ID"]))
    with pytest.raises(smtplib.SMTPConnectError) as refusal:
        send_from(STRANGER, proxy.port, mail)
    assert refusal.value.smtp_code == 554
    assert f"client={STRANGER}:" in gateway.read_log()


def test_limits_are_the_clients(proxied_gateway, haproxy, alice):
    proxied_gateway(PROXIED + f'\n  clients = {{ "127.0.0.0/8" }}\n  exempt = {{}}\n  max_sessions_per_client = 1')
    proxy = haproxy("send-proxy-v2")
    wait_until("the health check is answered", lambda: proxy.check() == "L7OK")
    with smtplib.SMTP("127.0.0.1", proxy.port, timeout=PATIENCE, source_address=(CLIENT, 0)):
        with pytest.raises(smtplib.SMTPConnectError) as refusal:
            smtplib.SMTP("127.0.0.1", proxy.port, timeout=PATIENCE, source_address=(CLIENT, 0))
        assert refusal.value.smtp_code == 421
        send_from(STRANGER, proxy.port, make_mail("From another client"))
    alice.receive_mail("From another client")


@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2"])
def test_implicit_tls_behind_haproxy(proxied_gateway, haproxy, alice, folder, options):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=gw.example.org", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
                   check=True, capture_output=True)
    gateway = proxied_gateway(f'{WITH_CLIENTS}\n  tls = implicit\n  certificate = "{folder}/cert.pem"\n  key = "{folder}/key.pem"')
    context = ssl.create_default_context(cafile=f"{folder}/cert.pem")
    context.check_hostname = False
    mail = make_mail("Encrypted through a proxy")
    client = send_from(CLIENT, haproxy(options + " no-check-send-proxy").port, mail, smtplib.SMTP_SSL, context=context)
    alice.receive_mail("Encrypted through a proxy")
    assert re.search(rf"from {client} .* with ESMTPS, TLSv1", gateway.ctl("why", mail["Message-ID"]))


SWAKS_HEADERS = [("1", "TCP4", "203.0.113.9", "203.0.113.9:40000"), ("1", "TCP6", "2001:db8::9", "[2001:db8::9]:40000"),
                 ("2", "AF_INET", "203.0.113.9", "203.0.113.9:40000"), ("2", "AF_INET6", "2001:db8::9", "[2001:db8::9]:40000")]


@pytest.mark.parametrize("version,family,source,client", SWAKS_HEADERS)
def test_swaks_as_proxy(proxied_gateway, alice, version, family, source, client):
    gateway = proxied_gateway(PROXIED + f'\n  clients = {{ "{source}" }}')
    mail = make_mail("With a header of swaks")
    command = ["swaks", "--server", "127.0.0.1", "--port", str(gateway.smtp_port), "--from", BOB, "--to", ALICE, "--data", "-",
               "--proxy-version", version, "--proxy-family", family, "--proxy-source", source, "--proxy-source-port", "40000",
               "--proxy-dest", source, "--proxy-dest-port", "25"]
    result = subprocess.run(command, input=mail.as_bytes(), capture_output=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stdout
    alice.receive_mail("With a header of swaks")
    assert f"from {client} (" in gateway.ctl("why", mail["Message-ID"])


def test_without_header_nothing_is_said(proxied_gateway):
    """The proxy forgot it, or somebody on its machine has come past it; others are served as ever, and can't pretend."""
    gateway = proxied_gateway(PROXIED + f'\n  clients = {{ "{STRANGER}" }}')
    with socket.create_connection(("127.0.0.1", gateway.smtp_port), timeout=PATIENCE) as connection:
        connection.sendall(b"EHLO client.test\r\n")
        assert connection.recv(100) == b""
    with socket.create_connection(("127.0.0.1", gateway.smtp_port), timeout=PATIENCE) as connection:
        assert connection.recv(100) == b"", "the header is waited for, but not for ever"
    assert "reason=\"no header\"" in gateway.read_log() and "smtp.timeout" in gateway.read_log()
    with socket.create_connection(("127.0.0.1", gateway.smtp_port), PATIENCE, (CLIENT, 0)) as connection:
        connection.sendall(f"PROXY TCP4 {STRANGER} 127.0.0.1 40000 25\r\n".encode())
        assert connection.recv(100).startswith(b"554 ")
