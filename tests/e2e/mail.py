"""Making and sending mail."""
import email.message
import email.policy
import email.utils
import itertools
import smtplib

from postern import AUTHSERV_ID
from procs import PATIENCE

ALICE = "alice@silo.example.org"
BOB = "bob@example.com"
_numbers = itertools.count(1)


def make_mail(subject, body="Hello Alice\n", sender=BOB, recipient=ALICE, proven=True, references=(), message_id=None):
    """A message as it leaves an MX: with its verdict about the sender."""
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    if proven:
        message["Authentication-Results"] = f"{AUTHSERV_ID}; dmarc=pass header.from={sender.split('@')[1]}"
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = message_id or f"<e2e.{next(_numbers)}.{email.utils.make_msgid(domain='example.com')[1:]}"
    if references:
        message["In-Reply-To"] = references[-1]
        message["References"] = " ".join(references)
    message.set_content(body)
    return message


def send(port, message, sender=BOB, recipients=(ALICE,), lmtp=False):
    """Delivers a message (or its bytes). Raises what smtplib raises when it is refused."""
    kind = smtplib.LMTP if lmtp else smtplib.SMTP
    data = message if isinstance(message, bytes) else message.as_bytes()
    with kind("127.0.0.1", port, timeout=PATIENCE) as connection:
        options = ["BODY=8BITMIME"] if any(byte > 127 for byte in data) else []
        return connection.sendmail(sender, list(recipients), data, mail_options=options)


def plain_text(message):
    return message.get_body(("plain",)).get_content()
