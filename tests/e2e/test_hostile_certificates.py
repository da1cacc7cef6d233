"""Certificates that relays and silos should not have, or may: what becomes of the connection, and what posternctl doctor says."""
import contextlib
import ipaddress
import json
import os
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from certificates import Certificate
from postern import Conversation
from procs import PATIENCE, RELEASE, free_port, run

LONG = os.environ.get("POSTERN_LONG") == "1"
NAME = "localhost"   # of the relay in the configuration


class Relay(threading.Thread):
    """Has TLS with whatever certificate it is given, one connection at a time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.certificate = None
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            client.settimeout(PATIENCE)
            with contextlib.suppress(OSError), client:
                self.talk(client)

    def talk(self, client):
        client.sendall(b"220 localhost ESMTP\r\n")
        while line := client.recv(1000):
            verb = line[:4].upper()
            if verb == b"STAR":
                client.sendall(b"220 Go\r\n")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.load_cert_chain(self.certificate.file, self.certificate.key_file)
                client = context.wrap_socket(client, server_side=True)
            else:
                client.sendall({b"EHLO": b"250-localhost\r\n250 STARTTLS\r\n", b"QUIT": b"221 Bye\r\n"}.get(verb, b"250 Ok\r\n"))


class Authorities:
    def __init__(self, folder):
        self.folder = folder
        self.ca = Certificate(folder, "ca", is_ca=True)
        self.middle = Certificate(folder, "middle", self.ca, is_ca=True)

    def make(self, name, issuer=None, **more):
        return Certificate(self.folder, name, issuer or self.ca, **{"names": [NAME], **more})

    def long_chain(self, length):
        chain = [self.ca]
        for number in range(length):
            chain.append(Certificate(self.folder, f"link-{number}", chain[-1], is_ca=True))
        return self.make("long", chain[-1]).show_with(*reversed(chain[1:]))


def rsa_key(bits):
    return rsa.generate_private_key(65537, bits)


# What it has, and what doctor says of it; None: it is taken.
ODD = {
    "good": (lambda a: a.make("good"), None),
    "expired": (lambda a: a.make("expired", days=(-30, -1)), "certificate has expired"),
    "not yet valid": (lambda a: a.make("early", days=(1, 30)), "certificate is not yet valid"),
    "another name": (lambda a: a.make("other", names=["mx.example.net"]), "hostname mismatch"),
    "self-signed": (lambda a: Certificate(a.folder, "self", names=[NAME]), "self-signed certificate"),
    "by nobody known": (lambda a: a.make("stranger", Certificate(a.folder, "nobody", is_ca=True)), "unable to get local issuer certificate"),
    "by an authority of the same name": (lambda a: a.make("forged", Certificate(a.folder, "ca2", is_ca=True, common_name="ca")), "signature failure"),
    "by one that is no authority": (lambda a: a.make("child", a.make("parent")).show_with(a.make("parent")), "certificate"),
    "without the intermediate": (lambda a: a.make("cut", a.middle), "unable to get local issuer certificate"),
    "with the intermediate": (lambda a: a.make("whole", a.middle).show_with(a.middle), None),
    "a wildcard for all": (lambda a: a.make("star", names=["*"]), "hostname mismatch"),
    "a wildcard for others": (lambda a: a.make("star-others", names=["*.localhost"]), "hostname mismatch"),
    "a part as a wildcard": (lambda a: a.make("star-part", names=["local*"]), "hostname mismatch"),
    "the name as an address of mail": (lambda a: a.make("mail", names=[], others=[x509.RFC822Name("x@localhost")]), "hostname mismatch"),
    "an address in place of the name": (lambda a: a.make("ip", names=[], others=[x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                                        "hostname mismatch"),
    "the name only in CN, another in SAN": (lambda a: a.make("cn-other", names=["mx.example.net"], common_name=NAME), "hostname mismatch"),
    "the name only in CN": (lambda a: a.make("cn", names=[], common_name=NAME), None),
    "a NUL in the name": (lambda a: a.make("nul", names=["localhost\0.example.net"]), "hostname mismatch"),
    "SHA-1": (lambda a: a.make("sha1", digest=hashes.SHA1()), "too weak"),
    "RSA of 1024 bits": (lambda a: a.make("rsa-1024", key=rsa_key(1024)), "key too weak"),
    "RSA of 2048 bits": (lambda a: a.make("rsa-2048", key=rsa_key(2048)), None),
    "P-521": (lambda a: a.make("p521", key=ec.generate_private_key(ec.SECP521R1())), None),
    "Ed25519": (lambda a: a.make("ed25519", key=ed25519.Ed25519PrivateKey.generate()), None),
    "for clients": (lambda a: a.make("clients", usages=("client",)), "unsuitable certificate purpose"),
    "a thousand names": (lambda a: a.make("thousand", names=[f"n{number}.example.net" for number in range(1000)] + [NAME]), None),
    "ten thousand names": (lambda a: a.make("many", names=[f"n{number}.example.net" for number in range(10_000)] + [NAME]), "excessive message size"),
    "a chain of ten": (lambda a: a.long_chain(10), None),
    "a chain of a hundred and ten": (lambda a: a.long_chain(110), "certificate chain too long"),
}
SAMPLE = ("good", "expired", "another name", "without the intermediate", "a wildcard for all", "a NUL in the name", "ten thousand names")


def doctor(gateway, topic, check):
    """What it says of that: a text for each that is not well."""
    command = [os.path.join(gateway.programs, "posternctl"), "-c", gateway.config, "--json", "doctor", "--only", topic]
    result = run(command, gateway.folder)
    rows = [row for row in json.loads(result.stdout)["checks"] if row["check"] == check]
    assert rows, result.stdout
    return [row["what"] for row in rows if row["level"] in ("warning", "failure")]


def test_relays_certificates(stopped_gateway, folder):
    """One after the other at the same relay, as doctor and the daemon's own connections meet them: good ones between bad ones."""
    relay, authorities, wrong = Relay(), Authorities(folder), []
    gateway = stopped_gateway
    gateway.programs = RELEASE
    gateway.relay = f"smtp://{NAME}:{relay.port}"
    gateway.relay_extra = f'tls = verify\n  ca_file = "{authorities.ca.file}"'
    gateway.write_config()
    for what, (make, words) in ODD.items():
        if not LONG and what not in SAMPLE:
            continue
        relay.certificate = make(authorities)
        said = doctor(gateway, "mail", "relay")
        print(f"  {what}: {said[0] if said else 'taken'}")
        if bool(words) != bool(said) or (words and words not in said[0]):
            wrong.append(f"{what}: {said}")
    assert not wrong, "\n".join(wrong)


def test_our_own_certificate(stopped_gateway, folder):
    """What can't be used stops a start, with the file's name; at a reload it is refused, and what was there stays. An expired one is used."""
    gateway = stopped_gateway
    gateway.programs = RELEASE
    good, other = Certificate(folder, "gw.example.org", names=["gw.example.org"]), Certificate(folder, "other")
    expired = Certificate(folder, "expired", names=["gw.example.org"], days=(-30, -1))
    empty, garbage = os.path.join(folder, "empty.pem"), os.path.join(folder, "garbage.pem")
    Certificate.write(empty, b"")
    Certificate.write(garbage, b"-----BEGIN CERTIFICATE-----\nMIIB////\n-----END CERTIFICATE-----\n")
    bad = [(empty, good.key_file), (garbage, good.key_file), (good.file, other.key_file), (good.file, empty), (good.file, garbage),
           (os.path.join(folder, "missing"), good.key_file), (folder, good.key_file)]

    def use(certificate, key):
        gateway.listen_extra = f'tls = may\n  certificate = "{certificate}"\n  key = "{key}"'
        gateway.write_config()

    for certificate, key in bad:
        use(certificate, key)
        result = run(gateway.command(), folder)
        assert result.returncode in (1, 78), result
        assert certificate in result.stderr or key in result.stderr, result.stderr
    use(good.file, good.key_file)
    gateway.start()
    for certificate, key in bad:
        use(certificate, key)
        said = gateway.ctl("reload", expect=1)
        assert certificate in said or key in said, said
        assert shown(gateway) == good.certificate
    use(expired.file, expired.key_file)
    gateway.ctl("reload")
    assert shown(gateway) == expired.certificate
    assert "expired.crt ended" in doctor(gateway, "configuration", "certificates")[0]


def shown(gateway):
    """The certificate that a client is shown."""
    with Conversation(gateway.smtp_port) as smtp:
        smtp.greet()
        smtp.expect("STARTTLS", "220")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        smtp.socket = context.wrap_socket(smtp.socket)
        return x509.load_der_x509_certificate(smtp.socket.getpeercert(binary_form=True))


@pytest.mark.parametrize("what", list(ODD) if LONG else ["expired"])
def test_a_silos_certificate(what, stopped_gateway, folder):
    """A silo whose address begins with "+": its certificate is looked at as a relay's is."""
    authorities, (make, words) = Authorities(folder), ODD[what]
    port = free_port()
    certificate = make(authorities)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(certificate.file, certificate.key_file)
    listener = socket.create_server(("127.0.0.1", port))
    met = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                try:
                    with context.wrap_socket(client, server_side=True) as encrypted:
                        met.append(bool(encrypted.recv(1000)))
                except OSError:
                    met.append(False)

    threading.Thread(target=serve, daemon=True).start()
    gateway = stopped_gateway
    gateway.programs = RELEASE
    gateway.silo_host, gateway.silo_port = f"+{NAME}", port
    gateway.silo_extra = f'ca_file = "{authorities.ca.file}"'
    gateway.write_config()
    result = run([os.path.join(RELEASE, "posternctl"), "-c", gateway.config, "doctor", "--only", "silo"], folder)
    said = result.stdout + result.stderr
    listener.close()
    if words is None:
        assert met and met[0], "the certificate is good, so that the protocol began"
    else:
        assert words in said and result.returncode == 1 and not any(met), said
