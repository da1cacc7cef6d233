"""What real mail servers send back is read as what it says: failures, warnings and successes of Postfix and Exim."""
import glob
import json
import os
import smtplib
import socketserver
import subprocess
import threading

import pytest

from conftest import needs_root, run_instance
from exim import Exim
from postern import DOMAIN
from postfix import Smarthost
from procs import DEV, PATIENCE, wait_until

READER = os.path.join(DEV, "mapping_convert_report_test")
SENDER = "alice@gw.example.net"
MESSAGE_ID = "tmtp-0011223344556677.e2e@gw.example.net"
MAIL = f"From: {SENDER}\r\nTo: somebody\r\nSubject: The plan\r\nMessage-ID: <{MESSAGE_ID}>\r\n\r\nText\r\n"
REPLIES = {"bob": "550 5.1.1 <bob> no such user", "carol": "452 4.2.2 <carol> mailbox full", "erin": "550 go away"}


class Far(socketserver.StreamRequestHandler):
    """A mail server that knows some recipients, without the extension DSN."""

    def reply(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self):
        self.reply("220 far.test")
        while line := self.rfile.readline().decode().strip():
            command = line.upper()
            if command.startswith("RCPT"):
                self.reply(REPLIES.get(line.partition("<")[2].partition("@")[0], "250 2.1.5 ok"))
            elif command.startswith("DATA"):
                self.reply("354 go on")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.reply("250 2.6.0 taken")
            elif command.startswith("QUIT"):
                self.reply("221 bye")
                return
            else:
                self.reply("250 ok")


@pytest.fixture
def far_port():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Far) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def postfix(far_port, request):
    needs_root()
    instance = Smarthost()
    instance.configure("transport_maps = regexp:$config_directory/transport\ndelay_warning_time = 1s")
    instance.write("transport", f"/@example[.]com$/ smtp:[127.0.0.1]:{far_port}\n/./ virtual\n")
    yield from run_instance(instance, request)


@pytest.fixture
def exim(far_port, request):
    needs_root()
    instance = Exim(far_port, "smtp")   # takes the gateway's domain there
    path = os.path.join(instance.folder, "exim.conf")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    instance.write("exim.conf", "delay_warning = 1s\n" + text)
    yield from run_instance(instance, request)


def send(port, recipients, envelope_options=(), recipient_options=()):
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as connection:
        connection.ehlo()
        refused = connection.sendmail(SENDER, recipients, MAIL, mail_options=list(envelope_options), rcpt_options=list(recipient_options))
        assert not refused, refused


def read_report(path):
    return json.loads(subprocess.run([READER, path], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout)


def wait_for_report(maildir, address, action):
    """The report that says this about the recipient, and the recipient in it."""
    def find():
        for path in sorted(glob.glob(os.path.join(maildir, "new", "*"))):
            report = read_report(path)
            for recipient in report["recipients"]:
                if recipient["address"] == address and recipient["action"] == action:
                    return report, recipient
        return None

    return wait_until(f"{address} {action}", find)


def test_postfix(postfix):
    recipients = [f"{name}@example.com" for name in ("bob", "carol", "dave")]
    send(postfix.port, recipients, ["RET=HDRS", "ENVID=out17"], ["NOTIFY=SUCCESS,FAILURE,DELAY", "ORCPT=rfc822;list@example.com"])
    report, bob = wait_for_report(postfix.maildir, "bob@example.com", "failed")
    assert report["kind"] == "dsn"
    assert report["reporting_mta"] == "smarthost.test"
    assert report["envelope_id"] == "out17"
    assert report["original_message_id"] == MESSAGE_ID
    assert bob["status"] == "5.1.1"
    assert bob["original"] == "list@example.com"
    assert bob["diagnostic"] == REPLIES["bob"]
    assert bob["remote_mta"] in ("127.0.0.1", "[127.0.0.1]")
    report, carol = wait_for_report(postfix.maildir, "carol@example.com", "delayed")
    assert report["kind"] == "dsn"
    assert carol["status"] == "4.2.2"
    assert carol["diagnostic"] == REPLIES["carol"]
    assert carol["will_retry_until"] > 0
    report, dave = wait_for_report(postfix.maildir, "dave@example.com", "relayed")
    assert report["kind"] == "dsn"
    assert dave["status"].startswith("2.")


def test_postfix_without_a_code(postfix):
    send(postfix.port, ["erin@example.com"])
    _, erin = wait_for_report(postfix.maildir, "erin@example.com", "failed")
    assert erin["status"] == "5.0.0"
    assert erin["diagnostic"] == REPLIES["erin"]


def test_exim(exim):
    send(exim.port, [f"{name}@{DOMAIN}" for name in ("bob", "carol", "erin")])
    report, bob = wait_for_report(exim.maildir, f"bob@{DOMAIN}", "failed")
    assert report["kind"] == "dsn"
    assert report["original_message_id"] == MESSAGE_ID
    assert bob["status"] == "5.1.1"
    assert bob["diagnostic"].endswith(REPLIES["bob"])
    report, carol = wait_for_report(exim.maildir, f"carol@{DOMAIN}", "delayed")
    assert carol["status"].startswith("4.")
    _, erin = wait_for_report(exim.maildir, f"erin@{DOMAIN}", "failed")
    assert erin["status"] == "5.0.0"


def read_in_words(bounce, folder):
    """The recipients that a report names, read without its fields: what the same server sent before there were reports."""
    path = os.path.join(folder, "words.eml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"From: {bounce['From']}\nSubject: {bounce['Subject']}\n\n{bounce.get_body(('plain',)).get_content()}")
    report = read_report(path)
    assert report["kind"] == "bounce"
    return {recipient["address"]: recipient for recipient in report["recipients"]}


def check_words(said, domain):
    assert set(said) == {f"bob@{domain}", f"erin@{domain}"}
    for name, status in (("bob", "5.1.1"), ("erin", "5.0.0")):
        recipient = said[f"{name}@{domain}"]
        assert recipient["action"] == "failed"
        assert recipient["status"] == status
        assert recipient["diagnostic"] == REPLIES[name]


def test_exim_in_words(exim, folder):
    send(exim.port, [f"bob@{DOMAIN}", f"erin@{DOMAIN}"])
    wait_for_report(exim.maildir, f"bob@{DOMAIN}", "failed")
    check_words(read_in_words(exim.mails()[0], folder), DOMAIN)


def test_postfix_in_words(postfix, folder):
    send(postfix.port, ["bob@example.com", "erin@example.com"])
    wait_for_report(postfix.maildir, "bob@example.com", "failed")
    check_words(read_in_words(postfix.mails()[0], folder), "example.com")


def test_postfix_warning_in_words(postfix, folder):
    send(postfix.port, ["carol@example.com"])
    wait_for_report(postfix.maildir, "carol@example.com", "delayed")
    carol = read_in_words(postfix.mails()[0], folder)["carol@example.com"]
    assert carol["action"] == "delayed"
    assert carol["status"] == "4.2.2"
    assert carol["diagnostic"] == REPLIES["carol"]
