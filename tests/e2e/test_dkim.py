"""Signatures of ours, judged by programs that are not: python3-dkim, and for RSA also Mail::DKIM (that of Debian 12 knows no Ed25519), with
the DNS records that the manual says to make."""
import base64
import email
import email.policy
import json
import os
import re
import smtplib
import subprocess

import dkim
import pytest

from documents import adapt, block
from mail import ALICE, BOB, make_mail
from postern import DOMAIN
from postfix import read_raw_maildir
from procs import PATIENCE, ROOT, free_port, wait_until
from sink import Sink

# Prints the result of each signature; the message is on standard input, the records are a JSON object in the argument.
MAIL_DKIM = r"""
use strict; use warnings; use JSON::PP; use Mail::DKIM::Verifier; use Mail::DKIM::DNS; use Net::DNS;
my $records = decode_json($ARGV[0]);
package Fake; sub new { bless {}, shift } sub errorstring { "NXDOMAIN" } sub udp_timeout {} sub tcp_timeout {}
sub send { my ($self, $name) = @_; my $packet = Net::DNS::Packet->new($name, "TXT"); $name =~ s/[.]$//;
  $packet->push(answer => Net::DNS::RR->new(name => $name, type => "TXT", txtdata => [$records->{$name}])) if $records->{$name};
  return $packet; }
package main;
Mail::DKIM::DNS::resolver(Fake->new);
my $verifier = Mail::DKIM::Verifier->new;
binmode STDIN; local $/; my $mail = <STDIN>; $verifier->PRINT($mail); $verifier->CLOSE;
print join(" ", map { $_->algorithm . "=" . $_->result } $verifier->signatures), "\n";
"""


@pytest.fixture
def keys(folder):
    """Made as the manual has it. Selector -> DNS record."""
    commands = adapt(block("docs/RELAYS.md", "openssl genrsa -out /etc/postern/dkim-rsa.pem 2048"), {"/etc/postern": folder})
    subprocess.run(["sh", "-ec", commands], check=True, capture_output=True, timeout=PATIENCE)
    return make_records(folder)


def make_records(folder):
    printed = adapt(block("docs/RELAYS.md", "openssl pkey -in /etc/postern/dkim-rsa.pem -pubout -outform DER | base64 -w0"), {"/etc/postern": folder})
    public = [subprocess.run(["sh", "-ec", line], check=True, capture_output=True, text=True, timeout=PATIENCE).stdout for line in printed.splitlines()]
    lines = adapt(block("docs/RELAYS.md", 's2026._domainkey.silo.example.org. IN TXT "v=DKIM1; k=rsa; p=RSA-KEY"'),
                  {"ED25519-KEY": public[1], "RSA-KEY": public[0]})
    return dict(re.findall(r'^(\S+)[.] IN TXT "(.*)"$', lines, re.MULTILINE))


def sections(folder):
    return adapt(block("docs/RELAYS.md", 'dkim { selector = "s2026"  key = "/etc/postern/dkim-rsa.pem" }'), {"/etc/postern": folder})


def verify(raw, records):
    """What each signature of a mail is worth: ["rsa-sha256=pass", ...]. Judges of the same signature must say the same."""
    header = raw.partition(b"\r\n\r\n")[0]
    results = []
    for index, algorithm in enumerate(re.findall(rb"^DKIM-Signature: v=1; a=([-a-z0-9]+);", header, re.MULTILINE)):
        good = False
        try:
            good = dkim.DKIM(raw, minkey=1024).verify(idx=index, dnsfunc=lambda name, timeout=5: records[name.decode().rstrip(".")].encode())
        except dkim.DKIMException:
            pass
        results.append(f"{algorithm.decode()}={'pass' if good else 'fail'}")
    second = subprocess.run(["perl", "-e", MAIL_DKIM, json.dumps(records)], input=raw, check=True, capture_output=True,
                            timeout=PATIENCE).stdout.decode().split()
    assert [result for result in second if "rsa" in result] == [result for result in results if "rsa" in result]
    return results


BOTH = ["rsa-sha256=pass", "ed25519-sha256=pass"]


@pytest.fixture
def signing(stopped_gateway, alice, folder, keys):
    """A gateway with the manual's keys, started by the test."""
    stopped_gateway.extra = sections(folder)
    stopped_gateway.records = keys
    return stopped_gateway


def begin(gateway, alice, correspondent=BOB):
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(correspondent, alice)


def test_two_keys_sign_what_leaves(signing, alice, folder):
    begin(signing, alice)
    with open(f"{folder}/odd.txt", "wb") as file:
        file.write(b".\r\n trailing  \t\r\nlast line without an end" + bytes(range(256)) * 3000)
    alice.post(BOB, "Grüße,\n\n.\n..\n    code  \n\n\n**x**   \n\n\n", subject="門の図面 – “drawings”", attach=[f"{folder}/odd.txt"])
    raw = wait_until("the mail leaves", lambda: read_raw_maildir(signing.maildir))[0]
    assert verify(raw, signing.records) == BOTH
    assert raw.partition(f"\r\nDelivered-To: {BOB}\r\n".encode())[2].startswith(
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=silo.example.org;\r\n s=s2026;")
    assert b" l=" not in raw.partition(b"\r\n\r\n")[0]

    # What a relay may do, and what nobody may.
    assert verify(b"Received: from a by b; Mon, 2 Nov 2026 06:34:00 +0000\r\n" + raw, signing.records) == BOTH
    assert verify(raw + b"\r\n\r\n", signing.records) == BOTH
    for what, change in {"body": raw.replace(b"\r\n\r\n", b"\r\n\r\nx", 1), "append": raw + b"x\r\n",
                         "another author": b"From: eve@example.net\r\n" + raw,
                         "cc": raw.replace(b"Subject:", b"Cc: eve@example.net\r\nSubject:", 1),
                         "subject": re.sub(rb"Subject: .*\r\n", b"Subject: x\r\n", raw, count=1),
                         "reply-to": raw.replace(b"\r\nReply-To:", b"\r\nX-Reply-To:", 1)}.items():
        assert change != raw, what
        assert not any(result.endswith("=pass") for result in verify(change, signing.records)), what
    assert " octets, signed" in signing.ctl("why", "out1")


def test_the_golden_mail_is_read_and_verified_by_others():
    """Written as tests/unit/gateway_relay_mail_test.c says; its key is that of RFC 8032 section 7.1, test 1."""
    with open(os.path.join(ROOT, "tests", "corpora", "outgoing", "answer.eml"), "rb") as file:
        raw = file.read()
    public = base64.b64encode(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")).decode()
    assert verify(raw, {f"e2026._domainkey.{DOMAIN}": f"v=DKIM1; k=ed25519; p={public}"}) == ["ed25519-sha256=pass"]
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert raw.isascii() and max(len(line) for line in raw.split(b"\r\n")) <= 78
    assert str(mail["From"]) == str(mail["Reply-To"]) == f'"Alice Member via {DOMAIN}" <alice.member@{DOMAIN}>'
    assert [address.addr_spec for address in mail["To"].addresses] == [BOB, "dave@xn--bcher-kva.example"]
    assert [(address.display_name, address.addr_spec) for address in mail["Cc"].addresses] == [('Jürgen, "der Lange" Müller', f"juergen@{DOMAIN}")]
    assert mail["Subject"] == "Re: Plans for the “gate”, and 門の図面について、とても長い件名"
    assert mail["In-Reply-To"] == mail["References"].split()[-1] == "<third@mail.example.com>" and len(mail["References"].split()) == 3
    assert mail["Date"] == "Mon, 02 Nov 2026 06:34:00 +0000"
    assert mail.get_body(("plain",)).get_content().startswith("Dear _Bob_, grüße an Dave.\r\n\r\n1. The gate is *92 cm*:\r\n")
    assert "<strong>92 cm</strong>" in mail.get_body(("html",)).get_content()
    assert [(part.get_filename(), part.get_payload(decode=True)) for part in mail.iter_attachments()] == [("maße.csv", "größe;92\r\n".encode())]


def test_a_large_mail_is_signed_as_it_streams(signing, alice, folder):
    begin(signing, alice)
    with open(f"{folder}/large.bin", "wb") as file:
        file.write(os.urandom(1_000_000) * 8)
    alice.post(BOB, "Large", subject="Large", attach=[f"{folder}/large.bin"])
    raw = wait_until("the mail leaves", lambda: read_raw_maildir(signing.maildir))[0]
    assert len(raw) > 10_000_000
    assert verify(raw, signing.records) == BOTH


def test_signatures_survive_postfix(smarthost, signing, alice):
    """With addresses in UTF-8 too, which are in the header as they are."""
    begin(signing, alice)
    alice.post(BOB, "Through Postfix. " + "Long line. " * 200, subject="To Bob")
    raw = wait_until("the mail is delivered", lambda: read_raw_maildir(smarthost.maildir))[0]
    assert verify(raw, signing.records) == BOTH
    other = "jürgen@bücher.example"
    signing.open_door(other, alice)
    alice.post(other, "Grüße", subject="An Jürgen")
    raw = wait_until("the other mail is delivered", lambda: read_raw_maildir(smarthost.maildir)[1:])[0]
    assert "jürgen@xn--bcher-kva.example".encode() in raw and verify(raw, signing.records) == BOTH


def test_reports_are_signed(signing, alice):
    begin(signing, alice)
    with_report = make_mail("Please report")
    with smtplib.SMTP("127.0.0.1", signing.smtp_port, timeout=PATIENCE) as connection:
        connection.sendmail(BOB, [ALICE], with_report.as_bytes(), rcpt_options=["NOTIFY=SUCCESS"])
    alice.receive_mail("Please report")
    raw = wait_until("the report leaves", lambda: read_raw_maildir(signing.maildir))[0]
    assert b"MAILER-DAEMON@" + DOMAIN.encode() in raw and b"multipart/report" in raw
    assert verify(raw, signing.records) == BOTH


def test_a_reload_signs_what_is_written_from_then_on(signing, alice, folder):
    """What waits keeps its signature: every attempt sends the same."""
    port = free_port()
    signing.relay = f"smtp://127.0.0.1:{port}"
    begin(signing, alice)
    alice.post(BOB, "Before", subject="Before")
    wait_until("it was tried", lambda: [entry for entry in signing.queue("out") if entry["attempts"] > 0])
    was = dict(signing.records)
    subprocess.run(["sh", "-ec", f"openssl genrsa -out {folder}/dkim-rsa.pem 2048; openssl genpkey -algorithm ed25519 -out {folder}/dkim-ed25519.pem"],
                   check=True, capture_output=True, timeout=PATIENCE)
    assert "the keys that sign mail" in signing.ctl("reload")
    alice.post(BOB, "After", subject="After")
    with Sink(folder, port) as sink:
        dumps = wait_until("both leave", lambda: sink.dumps() if len(sink.dumps()) == 2 else None)
    mails = [re.sub(rb"\r?\n", b"\r\n", dump.content) for dump in dumps]
    before, after = sorted(mails, key=lambda raw: b"Subject: After" in raw)
    new = make_records(folder)
    assert verify(before, was) == BOTH and "pass" not in " ".join(verify(before, new))
    assert verify(after, new) == BOTH and "pass" not in " ".join(verify(after, was))


def test_a_key_that_everybody_can_read_is_refused(signing, alice, folder):
    begin(signing, alice)
    os.chmod(f"{folder}/dkim-rsa.pem", 0o644)
    refused = signing.ctl("reload", expect=1)
    assert "dkim-rsa.pem is open to more than its owner and group" in refused
    alice.post(BOB, "Still signed", subject="Still")
    raw = wait_until("the mail leaves", lambda: read_raw_maildir(signing.maildir))[0]
    assert verify(raw, signing.records) == BOTH


def test_without_keys_nothing_is_signed(gateway, bob_to_alice):
    bob_to_alice.post(BOB, "Plain", subject="Plain")
    raw = wait_until("the mail leaves", lambda: read_raw_maildir(gateway.maildir))[0]
    assert b"\r\nDate: " in raw and b"DKIM-Signature" not in raw
