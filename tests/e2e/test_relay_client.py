"""The gateway as a client of real relays: AUTH and certificates with Postfix and Cyrus SASL, content in chunks with Postfix and Exim."""
import hashlib
import os
import random
import shutil
import socket
import subprocess

import pytest

from conftest import needs_root, run_instance
from exim import Exim
from mail import BOB, plain_text
from postfix import Smarthost
from procs import free_port, wait_until

USER, PASSWORD = "gateway", "open \u00e7esam\u00e9 = +"
REALM = "smarthost.test"
# Lines that the end of a message, or of a line, could be taken from.
AWKWARD = "First line\n.\n..\n.hidden\nFrom here on\n" + "x" * 2000 + "\n\n.\nlast line"


class Submission(Smarthost):
    """A smarthost that relays for those who have identified themselves, and under TLS only. `port` is for STARTTLS, `tls_port` for
    implicit TLS."""

    def __init__(self, mechanisms, settings=""):
        self.tls_port = free_port()
        super().__init__()
        self.configure(f"""
notify_classes =
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {self.folder}/cert.pem
smtpd_tls_key_file = {self.folder}/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_local_domain = {REALM}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
{settings}
""")
        with open(os.path.join(self.etc, "master.cf"), "a", encoding="ascii") as file:
            file.write("tlsmgr unix - - n 1000? 1 tlsmgr\n")
            file.write(f"127.0.0.1:{self.tls_port} inet n - n - 100 smtpd\n  -o smtpd_tls_wrappermode=yes\n")
        os.mkdir(f"{self.etc}/sasl")
        with open(f"{self.etc}/sasl/smtpd.conf", "w", encoding="ascii") as file:
            file.write(f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: {mechanisms}\nsasldb_path: {self.folder}/sasldb\n")
        subprocess.run(["saslpasswd2", "-p", "-c", "-u", REALM, "-f", f"{self.folder}/sasldb", USER], input=PASSWORD.encode(), check=True)
        shutil.chown(f"{self.folder}/sasldb", "postfix")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", f"/CN={REALM}", "-addext", f"subjectAltName=DNS:{REALM}",
                        "-keyout", f"{self.folder}/key.pem", "-out", f"{self.folder}/cert.pem"], check=True, capture_output=True)

    def fingerprint(self):
        der = subprocess.run(["openssl", "x509", "-in", f"{self.folder}/cert.pem", "-outform", "DER"], check=True, capture_output=True).stdout
        return "sha256:" + hashlib.sha256(der).hexdigest()


def submission(mechanisms, request, settings=""):
    needs_root()
    yield from run_instance(Submission(mechanisms, settings), request)


@pytest.fixture(params=["SCRAM-SHA-256", "PLAIN", "LOGIN", "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256"])
def each_mechanism(request):
    yield from submission(request.param, request)


@pytest.fixture
def relay(request):
    yield from submission("SCRAM-SHA-256 PLAIN LOGIN", request)


def write_password(gateway, password=PASSWORD):
    path = os.path.join(gateway.folder, "relay.password")
    with open(path, "w", encoding="utf-8") as file:
        file.write(password + "\n")
    os.chmod(path, 0o600)
    return path


def start_with(gateway, alice, url, settings, password=PASSWORD):
    """Starts the gateway with this relay; bob and she may write to each other."""
    gateway.relay = url
    gateway.relay_extra = settings
    if password:
        gateway.relay_extra += f'\n  user = "{USER}"\n  password_file = "{write_password(gateway, password)}"'
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)


def post(alice, subject="Hello", body="Hello Bob\n", attach=()):
    alice.post(BOB, body, subject=subject, attach=attach)


def last_error(gateway):
    return gateway.ctl("why", gateway.queue("out")[0]["id"])


def wait_for_error(gateway, *words):
    """The message waits, and the trace says why."""
    def says():
        return gateway.queue("out") and all(word in last_error(gateway) for word in words)

    wait_until(f"the trace says {words}", says)


def test_auth(each_mechanism, stopped_gateway, alice):
    relay = each_mechanism
    start_with(stopped_gateway, alice, f"smtp://127.0.0.1:{relay.port}", "tls = require")
    post(alice)
    mail = wait_until("her mail is delivered", relay.mails)[0]
    assert "Hello Bob" in plain_text(mail)
    offered = open(f"{relay.etc}/sasl/smtpd.conf", encoding="ascii").read()
    strongest = next(name for name in ("SCRAM-SHA-256", "PLAIN", "LOGIN") if name in offered)
    assert f"sasl_method={strongest}, sasl_username={USER}@{REALM}" in relay.read_log()
    assert PASSWORD not in stopped_gateway.read_log(), "the password is in the log"


def test_password_that_can_not_be_read_is_told_without_its_path(relay, stopped_gateway, alice):
    """The author of a message reads it, too."""
    start_with(stopped_gateway, alice, f"smtp://127.0.0.1:{relay.port}", "tls = require")
    path = os.path.join(stopped_gateway.folder, "relay.password")
    os.chmod(path, 0o644)
    post(alice)
    wait_for_error(stopped_gateway, "password_file is open to more than its owner")
    assert path not in last_error(stopped_gateway)
    os.chmod(path, 0o600)
    stopped_gateway.ctl("queue", "retry", "all")
    wait_until("her mail is delivered", relay.mails)


def test_auth_with_implicit_tls_and_fingerprint(relay, stopped_gateway, alice):
    start_with(stopped_gateway, alice, f"smtps://127.0.0.1:{relay.tls_port}", f'tls = verify\n  fingerprint = "{relay.fingerprint()}"')
    post(alice)
    wait_until("her mail is delivered", relay.mails)
    assert "sasl_method=SCRAM-SHA-256" in relay.read_log()


def test_wrong_fingerprint(relay, stopped_gateway, alice):
    """Nothing is said to a relay with another certificate; the message waits."""
    start_with(stopped_gateway, alice, f"smtp://127.0.0.1:{relay.port}", f'tls = verify\n  fingerprint = "sha256:{"0" * 64}"')
    post(alice)
    wait_for_error(stopped_gateway, "4.7.5", "certificate pin mismatch")
    assert not relay.mails() and "sasl_username" not in relay.read_log()


@pytest.mark.parametrize("name, is_right", [("localhost", True), ("127.0.0.1", False)])
def test_name_of_the_certificate(stopped_gateway, alice, request, name, is_right):
    """`verify` with a CA: the name in the relay's address counts."""
    needs_root()
    relay = Submission("PLAIN")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{relay.folder}/key.pem",
                    "-out", f"{relay.folder}/cert.pem"], check=True, capture_output=True)
    for _ in run_instance(relay, request):
        start_with(stopped_gateway, alice, f"smtp://{name}:{relay.port}", f'tls = verify\n  ca_file = "{relay.folder}/cert.pem"')
        post(alice)
        if is_right:
            wait_until("her mail is delivered", relay.mails)
        else:
            wait_for_error(stopped_gateway, "4.7.5")
            assert not relay.mails()


def test_wrong_password(relay, stopped_gateway, alice):
    """Somebody has to look after it: the message waits, the trace has the relay's words, and its author is left in peace."""
    start_with(stopped_gateway, alice, f"smtp://127.0.0.1:{relay.port}", "tls = require", password="something else")
    post(alice)
    wait_for_error(stopped_gateway, "535 5.7.8")
    assert not relay.mails()
    assert not [item for item in alice.receive(wait=1) if item["op"] == "delivery"], "she is told nothing yet"
    assert "something else" not in stopped_gateway.read_log()


def test_no_mechanism_in_common(request, stopped_gateway, alice):
    for relay in submission("CRAM-MD5", request):
        start_with(stopped_gateway, alice, f"smtp://127.0.0.1:{relay.port}", "tls = require")
        post(alice)
        wait_for_error(stopped_gateway, "4.7.4", "SCRAM-SHA-256, PLAIN or LOGIN")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6(request, stopped_gateway, alice):
    needs_root()
    relay, port = Smarthost(), free_port()
    relay.configure("inet_protocols = all\ninet_interfaces = 127.0.0.1, ::1\nmynetworks = 127.0.0.0/8 [::1]/128")
    with open(os.path.join(relay.etc, "master.cf"), "a", encoding="ascii") as file:
        file.write(f"[::1]:{port} inet n - n - 100 smtpd\n")
    for _ in run_instance(relay, request):
        start_with(stopped_gateway, alice, f"smtp://[::1]:{port}", "", password=None)
        post(alice)
        wait_until("her mail is delivered", relay.mails)
        assert "[::1]" in relay.read_log()


# --- Content in chunks ---


def check_awkward(mail, path):
    text = plain_text(mail)
    for line in AWKWARD.split("\n"):
        assert line[:60] in text
    digests = {hashlib.sha256(part.get_content()).hexdigest() for part in mail.iter_attachments()}
    with open(path, "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() in digests


@pytest.fixture
def attachment(folder):
    path = os.path.join(folder, "plans.bin")
    with open(path, "wb") as file:
        file.write(random.Random(17).randbytes(3_000_000))
    return path


def post_awkward(alice, attachment):
    post(alice, "Awkward", "\n\n".join(AWKWARD.split("\n")), attach=[attachment])


def test_chunks_to_exim(request, stopped_gateway, alice, attachment):
    """Exim notes with K who sent in chunks."""
    needs_root()
    for relay in run_instance(Exim(stopped_gateway.lmtp_port, "lmtp"), request):
        start_with(stopped_gateway, alice, f"smtp://127.0.0.1:{relay.port}", "", password=None)
        post_awkward(alice, attachment)
        check_awkward(wait_until("her mail is delivered", relay.mails)[0], attachment)
        line = next(line for line in relay.read_log().splitlines() if " <= " in line)
        assert " K " in line, line


@pytest.mark.parametrize("discarded", ["", "chunking", "pipelining", "chunking pipelining"])
def test_postfix_with_and_without_chunks(stopped_gateway, smarthost, alice, attachment, discarded):
    """The same content arrives, however it was carried."""
    smarthost.postfix("postconf", "-e", f"smtpd_discard_ehlo_keywords = {discarded}")
    smarthost.postfix("postfix", "reload")
    try:
        start_with(stopped_gateway, alice, stopped_gateway.relay, "", password=None)
        post_awkward(alice, attachment)
        check_awkward(wait_until("her mail is delivered", smarthost.mails)[0], attachment)
        stopped_gateway.wait_settled()
    finally:
        smarthost.postfix("postconf", "-e", "smtpd_discard_ehlo_keywords =")
        smarthost.postfix("postfix", "reload")


def test_domain_in_utf8_to_a_relay_without_smtputf8(stopped_gateway, smarthost, alice):
    """It goes in the form of the DNS, in the header too."""
    smarthost.postfix("postconf", "-e", "smtpd_discard_ehlo_keywords = smtputf8")
    smarthost.postfix("postfix", "reload")
    try:
        stopped_gateway.start()
        stopped_gateway.introduce(alice, "alice")
        stopped_gateway.open_door("bob@b\u00fccher.example", alice)
        alice.post("bob@b\u00fccher.example", "Hello", subject="Books")
        mail = wait_until("her mail is delivered", smarthost.mails)[0]
        assert mail["To"].addresses[0].addr_spec == "bob@xn--bcher-kva.example" == mail["Delivered-To"]
    finally:
        smarthost.postfix("postconf", "-e", "smtpd_discard_ehlo_keywords =")
        smarthost.postfix("postfix", "reload")
