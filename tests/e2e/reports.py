"""Delivery reports as their readers see them, and mail that asks for them."""
import email
import email.policy
import smtplib

from mail import ALICE, BOB
from postfix import read_maildir
from procs import PATIENCE, wait_until


def send(port, message, notify=None, recipients=(ALICE,), sender=BOB, ret=None, envid=None, orcpt=None, lmtp=False):
    """Delivers a message with options of DSN; returns the server's last words."""
    kind = smtplib.LMTP if lmtp else smtplib.SMTP
    with kind("127.0.0.1", port, timeout=PATIENCE) as connection:
        connection.ehlo_or_helo_if_needed()
        assert connection.has_extn("dsn")
        options = [f"RET={ret}"] if ret else []
        options += [f"ENVID={envid}"] if envid else []
        assert connection.mail(sender, options)[0] == 250
        options = [f"NOTIFY={notify}"] if notify else []
        options += [f"ORCPT={orcpt}"] if orcpt else []
        for recipient in recipients:
            code, text = connection.rcpt(recipient, options)
            assert code == 250, text
        code, text = connection.data(message.as_bytes())
        return f"{code} {text.decode()}"


class Report:
    """A report as a program reads it."""

    def __init__(self, message):
        assert message.get_content_type() == "multipart/report"
        assert message.get_param("report-type") in ("delivery-status", "global-delivery-status")
        assert not message.defects
        self.message = message
        parts = list(message.iter_parts())
        self.text = parts[0].get_content()
        assert parts[0].get_content_type() == "text/plain"
        assert parts[1].get_content_subtype() == message.get_param("report-type")
        blocks = self.read_blocks(parts[1])
        self.about, self.recipients = blocks[0], blocks[1:]
        self.original = parts[2] if len(parts) > 2 else None
        assert len(parts) <= 3

    @staticmethod
    def read_blocks(part):
        """Python splits message/delivery-status into blocks; message/global-delivery-status is one message to it."""
        if part.get_content_type() == "message/delivery-status":
            return [dict(block.items()) for block in part.get_payload()]
        text = part.get_payload()[0].as_bytes().decode().replace("\r\n", "\n").strip()
        return [dict(line.split(": ", 1) for line in block.split("\n")) for block in text.split("\n\n")]

    def original_headers(self):
        content = self.original.get_payload(decode=True)
        return email.message_from_bytes(content, policy=email.policy.default)

    def status_of(self, address):
        return next(fields for fields in self.recipients if fields["Final-Recipient"].endswith(";" + address))


def reports_in(maildir):
    return [Report(mail) for mail in read_maildir(maildir)]


def wait_report(maildir):
    """The one report that has come."""
    reports = wait_until("a report comes", lambda: reports_in(maildir))
    assert len(reports) == 1
    return reports[0]


def story(gateway, entry):
    return [f"{line['event']}: {line['detail']}" for line in gateway.ctl_json("why", entry)["trace"]]
