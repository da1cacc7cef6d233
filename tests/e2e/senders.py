"""Mail as it comes from the world: signed, sealed, forwarded, from any address; and the DNS that says what is right.

The names: bob@example.com writes from 192.0.2.1 and signs; lists.example is a mailing list at 192.0.2.7 that seals; forwarder.example
passes mail on from 192.0.2.8 as it is."""
import base64
import contextlib
import re
import smtplib
import subprocess
import tempfile

import dkim

from mail import ALICE, BOB, make_mail
from procs import PATIENCE

BOBS_CLIENT = "192.0.2.1"
LISTS_CLIENT = "192.0.2.7"
FORWARDERS_CLIENT = "192.0.2.8"
STRANGER = "203.0.113.66"
HOSTNAME_OF_LIST = b"lists.example"
SIGNED = [b"from", b"to", b"subject", b"date", b"message-id"]


class Keys:
    """One RSA key, made once, which everybody here signs with; the selectors differ."""
    private = public = None

    @classmethod
    def make(cls):
        if cls.private is None:
            with tempfile.NamedTemporaryFile(suffix=".pem") as file:
                subprocess.run(["openssl", "genrsa", "-traditional", "-out", file.name, "2048"], check=True, capture_output=True, timeout=PATIENCE)
                public = subprocess.run(["openssl", "rsa", "-in", file.name, "-pubout", "-outform", "DER"], check=True, capture_output=True, timeout=PATIENCE)
                cls.private, cls.public = file.read(), base64.b64encode(public.stdout).decode()
        return cls


def publish(dns):
    """The zones of all who send here."""
    key = f"v=DKIM1; k=rsa; p={Keys.make().public}"
    for domain in ("example.com", "lists.example", "evil.example", "plain.example"):
        dns.add_txt(f"s1._domainkey.{domain}", key)
    dns.add_txt("example.com", f"v=spf1 ip4:{BOBS_CLIENT} -all")
    dns.add_txt("_dmarc.example.com", "v=DMARC1; p=reject")
    dns.add_txt("lists.example", f"v=spf1 ip4:{LISTS_CLIENT} -all")
    dns.add_txt("forwarder.example", f"v=spf1 ip4:{FORWARDERS_CLIENT} -all")
    dns.add_txt("evil.example", f"v=spf1 ip4:{STRANGER} -all")


def new_mail(subject, sender=BOB, **fields):
    """A mail as its author's program writes it."""
    mail = make_mail(subject, sender=sender, proven=False)
    for name, value in fields.items():
        name = name.replace("_", "-")
        del mail[name]
        mail[name] = value
    return mail.as_bytes()


def sign(raw, domain="example.com", selector="s1"):
    return dkim.sign(raw, selector.encode(), domain.encode(), Keys.make().private, include_headers=SIGNED) + raw


def seal(raw, results, domain="lists.example", selector="s1"):
    """As a list does that has seen this, when it passes the mail on: results is what it says of the mail as it came."""
    came = f"Authentication-Results: {domain}; {results}\r\n".encode() + raw
    fields = dkim.arc_sign(came, selector.encode(), domain.encode(), Keys.make().private, domain.encode(), include_headers=SIGNED)
    return b"".join(fields) + raw


def add_footer(raw):
    """What breaks signatures."""
    return raw.rstrip() + b"\r\n-- \r\nThe list's footer\r\n"


class Refused(Exception):
    """code and text of the reply."""

    def __init__(self, code, text):
        super().__init__(f"{code} {text}")
        self.code, self.text = code, text


def deliver(port, raw, client=BOBS_CLIENT, sender=BOB, recipients=(ALICE,), helo="mx.test"):
    """Brings a mail as this client, to a listener that believes XCLIENT. Returns the reply to its data."""
    connection = smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.ehlo("proxy.test")
        code, text = connection.docmd("XCLIENT", f"ADDR={client} HELO={helo}")
        assert code == 220, text
        connection.ehlo(helo)
        connection.mail(sender)
        for recipient in recipients:
            code, text = connection.rcpt(recipient)
            if code != 250:
                raise Refused(code, text.decode())
        code, text = connection.data(raw)
    if code != 250:
        raise Refused(code, text.decode())
    return text.decode()


def refusal(*arguments, **options):
    """The reply, as a text, to what must not be taken."""
    try:
        taken = deliver(*arguments, **options)
    except Refused as refused:
        return str(refused)
    raise AssertionError(f"it was taken: {taken}")


def id_of(raw):
    return re.search(rb"(?im)^message-id: *(<[^>]+>)", raw).group(1).decode()
