"""Mail servers that prove by a TLS certificate who they are, and what they are believed for then."""
import contextlib
import re
import smtplib
import ssl

import pytest

from certificates import Certificate
from dns_server import DnsServer
from mail import ALICE, make_mail
from procs import PATIENCE, free_port

PARTNER, BELOW, OTHER, NAMED = "bob@partner.example", "bob@mail.partner.example", "bob@other.example", "eve@named.example"


class Peers:
    """The certificates of the story."""

    def __init__(self, folder):
        self.server = Certificate(folder, "server", names=["gw.example.org"])
        self.ca = Certificate(folder, "ca", is_ca=True)
        middle = Certificate(folder, "middle", self.ca, is_ca=True)
        self.pinned = Certificate(folder, "pinned", names=["mx.partner.example"])
        self.pinned_old = Certificate(folder, "pinned-old", days=(-30, -1), usages=())
        self.unknown = Certificate(folder, "unknown", names=["mx.named.example", "mx.partner.example"])
        self.named = Certificate(folder, "named", self.ca, names=["other.named.example", "MX.named.example"])
        self.below = Certificate(folder, "below", middle, names=["mx.named.example"]).show_with(middle)
        self.cut = Certificate(folder, "cut", middle, names=["mx.named.example"])
        self.expired = Certificate(folder, "expired", self.ca, names=["mx.named.example"], days=(-30, -1))
        self.early = Certificate(folder, "early", self.ca, names=["mx.named.example"], days=(1, 30))
        self.wrong_name = Certificate(folder, "wrong-name", self.ca, names=["mx.other.example"])
        self.wildcard = Certificate(folder, "wildcard", self.ca, names=["*.named.example"])
        self.only_common = Certificate(folder, "only-common", self.ca, common_name="mx.named.example")
        self.for_servers = Certificate(folder, "for-servers", self.ca, names=["mx.named.example"], usages=("server",))
        self.forged = Certificate(folder, "forged", Certificate(folder, "forged-ca", is_ca=True, common_name="ca"), names=["mx.named.example"])
        self.many = Certificate(folder, "many").show_with(*[self.unknown] * 100)

    def listen(self):
        colons = ":".join(re.findall("..", self.pinned.fingerprint.upper()))
        return f'''tls = may
  certificate = "{self.server.file}"
  key = "{self.server.key_file}"
  peer_ca = "{self.ca.file}"
  peers = {{ "sha256:{colons}=partner.example, *.PARTNER.example", "{self.pinned_old.pin}=partner.example",
            "mx.Named.example=named.example" }}
  xclient = {{ "127.0.0.1" }}
  clients = {{ "127.0.0.1", "192.0.2.7" }}'''


@pytest.fixture
def peers(folder):
    return Peers(folder)


@pytest.fixture
def gateway(stopped_gateway, alice, peers):
    stopped_gateway.listen_extra = peers.listen()
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    for author in (PARTNER, BELOW, OTHER, NAMED):
        stopped_gateway.ctl("mapping", "add", author, alice.alias)
    return stopped_gateway


@contextlib.contextmanager
def connected(gateway, certificate, tls=True, newest=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = newest
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate.file, certificate.key_file)
    with smtplib.SMTP("127.0.0.1", gateway.smtp_port, "client.test", timeout=PATIENCE) as smtp:
        if tls:
            smtp.starttls(context=context)
        yield smtp


def send(smtp, author, **arguments):
    """The code of the answer."""
    try:
        smtp.sendmail(author, [ALICE], make_mail("Proven?", sender=author, proven=False, **arguments).as_bytes())
    except smtplib.SMTPDataError as refusal:
        if refusal.smtp_code == 550:
            assert b"5.7.26" in refusal.smtp_error
        return refusal.smtp_code
    return 250


def test_who_is_believed_for_what(gateway, peers):
    """One session for each certificate, several mails in each."""
    believed = {
        "none": {}, "pinned": {PARTNER: 250, BELOW: 250}, "pinned_old": {PARTNER: 250}, "unknown": {}, "named": {NAMED: 250},
        "below": {NAMED: 250}, "cut": {}, "expired": {}, "early": {}, "wrong_name": {}, "wildcard": {}, "only_common": {}, "for_servers": {},
        "forged": {},
    }
    for name, expected in believed.items():
        with connected(gateway, getattr(peers, name, None)) as smtp:
            for author in (PARTNER, BELOW, OTHER, NAMED):
                assert send(smtp, author) == expected.get(author, 550), (name, author)
            # What proves everybody's mail proves theirs, too.
            smtp.sendmail(OTHER, [ALICE], make_mail("Proven otherwise", sender=OTHER).as_bytes())
    log = gateway.read_log()
    lines = re.findall(r"event=smtp\.certificate .*", log)
    assert len(lines) == len(believed) - 1   # once in each session that has shown one
    for name, expected in believed.items():
        if name != "none":
            line = next(line for line in lines if getattr(peers, name).pin in line)
            assert ("known_as=-" in line) == (not expected), line
    assert 'subject="CN=expired; certificate has expired"' in log


def test_certificate_counts_for_its_session_alone(gateway, peers):
    with connected(gateway, peers.pinned) as known, connected(gateway, None) as unknown, connected(gateway, None, tls=False) as plain:
        assert send(unknown, PARTNER) == 550
        assert send(known, PARTNER) == 250
        assert send(plain, PARTNER) == 550
        assert known.docmd("XCLIENT", "ADDR=192.0.2.7")[0] == 220   # who is behind it now has shown nothing
        known.ehlo()
        assert send(known, PARTNER) == 550
    with connected(gateway, peers.pinned, newest=ssl.TLSVersion.TLSv1_2) as old:
        assert old.sock.version() == "TLSv1.2"
        assert send(old, PARTNER) == 250


def test_handshake_that_fails_harms_nobody_else(gateway, peers):
    with connected(gateway, peers.pinned) as known:
        with pytest.raises((OSError, smtplib.SMTPException)), connected(gateway, peers.many) as smtp:
            smtp.ehlo()
            send(smtp, PARTNER)
        assert send(known, PARTNER) == 250


def test_tricks_in_the_header_are_not_vouched_for(gateway, peers):
    """Exactly one author, of a domain that is written beside the peer's identity."""
    mail = make_mail("Trick", sender=PARTNER, proven=False).as_bytes()
    with connected(gateway, peers.pinned) as smtp:
        for wrong in (b"From: bob@partner.example, eve@other.example\r\n", b"From: bob@partner.example\r\nFrom: bob@other.example\r\n",
                      b"From: bob@partner.example.other.example\r\n", b"From: bob@notpartner.example\r\n",
                      b'From: "bob@partner.example" <bob@other.example>\r\n', b""):
            with pytest.raises(smtplib.SMTPDataError) as refusal:
                smtp.sendmail(PARTNER, [ALICE], mail.replace(b"From: bob@partner.example\r\n", wrong))
            assert refusal.value.smtp_code in (550, 554), wrong


def test_reload_and_status(gateway, peers):
    listeners = {each["listener"]: each for each in gateway.ctl_json("status")["listeners"]}
    assert listeners["smtp"]["peers"] == 3 and listeners["lmtp"]["peers"] == 0
    assert listeners["smtp"]["believes"] == "mx.test"
    with connected(gateway, peers.pinned) as before:
        assert send(before, PARTNER) == 250
        gateway.listen_extra = re.sub(r"partner\.example, \*\.PARTNER\.example", "other.example", peers.listen())
        gateway.write_config()
        gateway.ctl("reload")
        assert send(before, PARTNER) == 550   # of a session, too, that was there before
        assert send(before, OTHER) == 250
    with connected(gateway, peers.pinned) as after:
        assert send(after, PARTNER) == 550
        assert send(after, OTHER) == 250
    Certificate.write(peers.ca.file, b"no certificate")
    gateway.ctl("reload", expect=1)
    with connected(gateway, peers.named) as smtp:
        assert send(smtp, NAMED) == 250


def test_dns_is_not_asked_about_mail_that_is_vouched_for(stopped_gateway, alice, peers):
    """On a listener that checks senders itself."""
    gateway = stopped_gateway
    with DnsServer() as names:
        mx = free_port()
        gateway.extra = gateway.listener("mx", mx, "smtp", peers.listen()) + f'\nverify {{ resolver = {{ "{names.address}" }} }}\n'
        gateway.start()
        gateway.introduce(alice, "alice")
        for author in (PARTNER, OTHER):
            gateway.ctl("mapping", "add", author, alice.alias)
        gateway.smtp_port = mx
        with connected(gateway, peers.pinned) as smtp:
            assert send(smtp, PARTNER) == 250
            assert not names.questions
            assert send(smtp, OTHER) == 550
            assert names.questions
        assert "the certificate of sha256:" in gateway.ctl("why", "in1")


def test_open_listener_is_named(stopped_gateway):
    stopped_gateway.open_port = free_port()
    stopped_gateway.start()
    listeners = {each["listener"]: each for each in stopped_gateway.ctl_json("status")["listeners"]}
    assert listeners["open"]["believes"] == "everybody (assume_authenticated)"
    assert "everybody (assume_authenticated)" in stopped_gateway.ctl("status")
    assert re.search(r"level=warning event=listener\.trusting listener=open", stopped_gateway.read_log())
