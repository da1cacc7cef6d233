"""Signatures of others, judged by ours beside programs that are not: python3-dkim and, for RSA, Mail::DKIM sign mails of every form, these are
changed in many ways, and all judges must say the same. Where we are stricter on purpose (smtp/dkim_verify.h) they may pass what we don't, never the
other way round. tests/tools/dkim_check judges many mails in one run."""
import base64
import collections
import json
import os
import random
import re
import subprocess
import time

import dkim
import pytest

from procs import DEV, PATIENCE

# RFC 8463 appendix A.2 (the Ed25519 key is RFC 8032 section 7.1, test 1).
RSA_1024 = b"""-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi
Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM
KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB
AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm
6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe
zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy
6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc
uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy
WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd
WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a
licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst
o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe
uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL
-----END RSA PRIVATE KEY-----
"""
RSA_1024_PUBLIC = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/"
    "byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB")
ED25519 = b"nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
ED25519_PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

ZONE = {
    "rsa._domainkey.example.com": f"v=DKIM1; k=rsa; p={RSA_1024_PUBLIC}",
    "ed._domainkey.example.com": f"v=DKIM1; k=ed25519; p={ED25519_PUBLIC}",
    "list._domainkey.lists.example": f"v=DKIM1; p={RSA_1024_PUBLIC}",
    "relay._domainkey.relay.example": f"k=rsa; p={RSA_1024_PUBLIC}",
}

# Signs, seals and verifies mails, each behind a line "COMMAND SIZE"; the records are a JSON object in the argument, the key's file is the second one.
MAIL_DKIM = r"""
use strict; use warnings; use JSON::PP; use Mail::DKIM::Verifier; use Mail::DKIM::Signer; use Mail::DKIM::ARC::Signer; use Mail::DKIM::DNS; use Net::DNS;
my $records = decode_json($ARGV[0]);
package Fake; sub new { bless {}, shift } sub errorstring { "NXDOMAIN" } sub udp_timeout {} sub tcp_timeout {}
sub send { my ($self, $name) = @_; my $packet = Net::DNS::Packet->new($name, "TXT"); $name =~ s/[.]$//;
  $packet->push(answer => Net::DNS::RR->new(name => $name, type => "TXT", txtdata => [$records->{$name}])) if $records->{$name};
  return $packet; }
package main;
Mail::DKIM::DNS::resolver(Fake->new);
binmode STDIN; binmode STDOUT;
while (my $line = <STDIN>) {
  my ($command, $size) = split " ", $line;
  my $mail = ""; read(STDIN, $mail, $size) == $size or die "cut";
  if ($command eq "verify") {
    my $verifier = Mail::DKIM::Verifier->new; $verifier->PRINT($mail); $verifier->CLOSE;
    print join(" ", map { $_->result } $verifier->signatures), "\n";
  } elsif ($command =~ /^arc:(.*):(.*):(.*)$/) {
    my $signer = Mail::DKIM::ARC::Signer->new(Algorithm => "rsa-sha256", Chain => $1, Domain => $2, SrvId => "mx.$2", Selector => $3, KeyFile => $ARGV[1]);
    $signer->PRINT($mail); $signer->CLOSE; die $signer->result_detail if $signer->result ne "sealed";
    my $fields = join("\r\n", $signer->as_strings) . "\r\n"; print length($fields), "\n", $fields;
  } else {
    my $signer = Mail::DKIM::Signer->new(Algorithm => "rsa-sha256", Method => $command, Domain => "example.com", Selector => "rsa", KeyFile => $ARGV[1]);
    $signer->PRINT($mail); $signer->CLOSE;
    my $field = $signer->signature->as_string; $field =~ s/\r?\n/\r\n/g; print length($field), "\n", $field;
  }
}
"""

Verdict = collections.namedtuple("Verdict", "result domain selector identity detail")
Judgement = collections.namedtuple("Judgement", "dkim arc sets questions")


def judge(folder, mails, zone=None, now=None):
    """What dkim_check says of each mail. A record that is None can't be looked up."""
    path = os.path.join(folder, "zone")
    with open(path, "w", encoding="ascii") as file:
        for name, record in (zone or ZONE).items():
            for text in record if isinstance(record, list) else [record]:
                file.write(f"{name} {'!' if text is None else text.encode().hex()}\n")
    data = b"".join(b"%d example.com %d\n%s" % (len(mail), now or time.time(), mail) for mail in mails)
    run = subprocess.run([os.path.join(DEV, "dkim_check"), path], input=data, capture_output=True, timeout=PATIENCE, check=False)
    assert run.returncode == 0, run.stderr.decode()
    result, current = [], []
    for line in run.stdout.decode().splitlines():
        fields = line.split("\t")
        if fields[0] != "end":
            current.append(fields)
            continue
        dkims = [Verdict(*words[1:]) for words in current if words[0] == "dkim"]
        arc = next(tuple(words[1:]) for words in current if words[0] == "arc")
        result.append(Judgement(dkims, arc, [tuple(words[1:]) for words in current if words[0] == "set"], int(fields[1])))
        current = []
    assert len(result) == len(mails)
    return result


def results(judgement):
    return [verdict.result for verdict in judgement.dkim]


def lookup(name, timeout=5):   # pylint: disable=unused-argument
    record = ZONE.get(name.decode().rstrip("."))
    return record.encode() if record else None


def python_says(mail):
    """Whether python3-dkim passes each signature."""
    said = []
    for index in range(len(re.findall(rb"^dkim-signature[ \t]*:", mail.partition(b"\r\n\r\n")[0], re.MULTILINE | re.IGNORECASE))):
        try:
            said.append(dkim.DKIM(mail, minkey=1024).verify(idx=index, dnsfunc=lookup))
        except (dkim.DKIMException, ValueError, IndexError, KeyError):
            said.append(False)
    return said


class Perl:
    """One Mail::DKIM for many mails."""

    def __init__(self, folder):
        key = os.path.join(folder, "rsa.pem")
        with open(key, "wb") as file:
            file.write(RSA_1024)
        self.command = ["perl", "-e", MAIL_DKIM, json.dumps(ZONE), key]

    def run(self, jobs):
        data = b"".join(b"%s %d\n%s" % (command.encode(), len(mail), mail) for command, mail in jobs)
        return subprocess.run(self.command, input=data, capture_output=True, timeout=PATIENCE, check=True).stdout

    def verify(self, mails):
        return [line.split() for line in self.run([("verify", mail) for mail in mails]).decode().split("\n")[:-1]]

    def sign(self, method, mails):
        output, signed = self.run([(method, mail) for mail in mails]), []
        for mail in mails:
            size, _, rest = output.partition(b"\n")
            signed.append(rest[:int(size)].rstrip(b"\r\n") + b"\r\n" + mail)
            output = rest[int(size):]
        return signed


WORDS = ["Hi", "dinner", "=?utf-8?q?a=C3=A4?=", "is", "ready?", "x" * 80, "a:b", "\u00e4\u00f6", ";", "=", "-", "b=abc"]


def make_value(chance):
    value = chance.choice(["", " ", " ", "\t", "  ", "\r\n ", " \r\n\t"])
    for index in range(chance.randint(1, 8)):
        value += (chance.choice([" ", "  ", "\t", "\r\n ", " \r\n   ", "\t\r\n\t"]) if index else "") + chance.choice(WORDS)
    return value + chance.choice(["", "", " ", "\t "])


def make_body(chance):
    lines = ["".join(chance.choice(["word", " ", "  ", "\t", ".", "\u00e4", "=20", "--", "From "]) for _ in range(chance.randint(0, 12)))
             for _ in range(chance.randint(0, 8))]
    return "".join(line + "\r\n" for line in lines) + chance.choice(["", "", "\r\n", "\r\n\r\n\r\n", "no end"])


def make_mail(chance):
    fields = [("From", " Bob <bob@example.com>")]
    for name in ["Subject", "To", "Cc", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type", "X-Other", "References", "Received", "Received"]:
        if chance.random() < 0.7:
            fields.append((name, make_value(chance)))
    chance.shuffle(fields)
    spell = [str.lower, str.upper, str, str, str]
    return ("".join(f"{chance.choice(spell)(name)}:{value}\r\n" for name, value in fields) + "\r\n" + make_body(chance)).encode()


FORMS = [(b"simple", b"simple"), (b"simple", b"relaxed"), (b"relaxed", b"simple"), (b"relaxed", b"relaxed")]
KEYS = {b"rsa": (RSA_1024, b"rsa-sha256"), b"ed": (ED25519, b"ed25519-sha256")}


def sign(mail, selector=b"ed", form=FORMS[3], **more):
    key, algorithm = KEYS[selector]
    return dkim.sign(mail, selector, b"example.com", key, canonicalize=form, signature_algorithm=algorithm, **more) + mail


def test_others_signatures_pass(folder):
    """In every canonical form and both algorithms, over headers and bodies with white space of any kind."""
    chance = random.Random(6376)
    mails = [make_mail(chance) for _ in range(60)]
    signed = [sign(mail, b"rsa" if number % 5 == 0 else b"ed", FORMS[number % 4]) for number, mail in enumerate(mails)]
    perl, whole = Perl(folder), [mail for mail in mails if mail.endswith(b"\r\n")]   # it does not end a last line
    signed += perl.sign("simple", whole[:20]) + perl.sign("relaxed", whole[20:])
    for mail, judgement in zip(signed, judge(folder, signed)):
        assert results(judgement) == ["pass"], (mail, judgement)
        assert judgement.dkim[0].domain == "example.com" and judgement.questions == 1


def mutate(chance, mail):
    """One thing that happens to mail, or that somebody does to it."""
    header, _, body = mail.partition(b"\r\n\r\n")
    at = chance.randrange(len(header))
    kind = chance.randrange(11)
    lines = re.split(rb"\r\n(?![ \t])", header)
    if kind == 0:   # more white space where there is some, or folding
        header = re.sub(rb"(?<=\S) (?=\S)", chance.choice([b"  ", b"\t", b"\r\n "]), header, count=chance.randint(1, 3))
    elif kind == 1:
        header = header[:at] + b"X" + header[at:]
    elif kind == 2:
        header = header[:at] + header[at + 1:]
    elif kind == 3:
        body += chance.choice([b"\r\n", b" ", b"more\r\n", b"\r\n\r\nmore"])
    elif kind == 4:
        body = re.sub(rb" ", chance.choice([b"  ", b"\t", b""]), body, count=1)
    elif kind == 5:
        body = body[:-2]
    elif kind == 6:
        name = chance.choice([b"Subject", b"To", b"From", b"X-Other", b"Date"])
        header = header + b"\r\n" + name + b": added" if chance.random() < 0.5 else name + b": added\r\n" + header
    elif kind == 7:
        chance.shuffle(lines)
        header = b"\r\n".join(lines)
    elif kind == 8:
        header = b"\r\n".join(name.swapcase() + colon + value for name, colon, value in (line.partition(b":") for line in lines))
    elif kind == 9:
        header = b"\r\n".join(line + chance.choice([b"", b" ", b"\t"]) for line in lines)
    else:
        del lines[chance.randrange(len(lines))]
        header = b"\r\n".join(lines)
    if body.endswith((b" ", b"\t")):   # python3-dkim takes that for no end of a line
        body += b"\r\n"
    return header + b"\r\n\r\n" + body


def test_judges_agree_about_changed_mail(folder):
    """Each mail is signed twice and then changed. Nobody passes what we don't, but for our own stricter rules; we pass nothing that another
    one fails."""
    chance = random.Random(8463)
    mails = []
    for number in range(400):
        mail = sign(sign(make_mail(chance), b"ed", FORMS[number % 4]), b"rsa" if number % 8 == 0 else b"ed", FORMS[(number + 1) % 4])
        for _ in range(chance.choice([1, 1, 2])):
            mail = mutate(chance, mail)
        mails.append(mail)
    tally = collections.Counter()
    for mail, judgement in zip(mails, judge(folder, mails)):
        fields = [b"s=rsa" in field for field in re.findall(rb"^dkim-signature[ \t]*:(?:.*\r\n)(?:[ \t].*\r\n)*", mail, re.MULTILINE | re.IGNORECASE)]
        if len(judgement.dkim) != 2 or len(fields) != 2:
            continue   # a name was changed
        theirs = python_says(mail)
        ours = sorted((verdict.selector == "rsa", verdict.result, verdict.detail) for verdict in judgement.dkim)
        passed = [sum(theirs), sum(result == "pass" for _, result, _ in ours)]
        stricter = any(result in ("policy", "neutral") for _, result, _ in ours)
        assert passed[0] == passed[1] or (stricter and passed[1] < passed[0]), (mail, theirs, judgement)
        tally[f"{passed[1]} passed"] += 1
        tally["stricter"] += passed[0] != passed[1]
    assert min(tally["0 passed"], tally["1 passed"], tally["2 passed"]) > 30, tally   # neither all good nor all bad
    rsa = [mail for mail in mails if b"s=rsa" in mail]
    for mail, theirs, judgement in zip(rsa, Perl(folder).verify(rsa), judge(folder, rsa)):
        ours = [verdict.result == "pass" for verdict in judgement.dkim if verdict.selector == "rsa"]
        assert not any(ours) or "pass" in theirs, (mail, theirs, judgement)


def test_each_octet_counts(folder):
    """Of a mail whose every field is signed no octet can be changed, left out or doubled: in the simple form none at all, in the relaxed
    form none but white space."""
    plain = (b"From: Bob <bob@example.com>\r\nTo: alice@silo.example.org\r\nSubject: Is dinner\r\n ready?\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\n"
             b"Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHi.\r\n\r\nWe lost the  game.\r\n")
    mails = []
    for form in (FORMS[0], FORMS[3]):
        mail = sign(plain, form=form)
        signature = re.search(rb"\bb=([^;]*?)=*\r\n(?=From)", mail)
        for at, octet in enumerate(mail):
            if signature.start(1) <= at < signature.end() and (octet in b" \t\r\n=" or at >= signature.end(1) - 1):
                continue   # white space in base64, and bits that are not part of it
            blank = bytes([octet]).isspace()
            if blank and form == FORMS[3]:
                continue
            mails.append(mail[:at] + (b"_" if blank else b"~") + mail[at + 1:])
            if octet not in b"\r\n" and not (at == len(plain) and blank):
                mails.append(mail[:at] + mail[at + 1:])
                mails.append(mail[:at] + bytes([octet]) + mail[at:])
    for mail, judgement in zip(mails, judge(folder, mails)):
        assert "pass" not in results(judgement), (mail, judgement)
    assert len(mails) > 3000


def test_part_of_a_body_does_not_pass(folder):
    """l= is no way to add text: others take it (RFC 6376 section 8.2), we don't. A body that is signed as a whole passes."""
    mail = b"From: bob@example.com\r\nSubject: x\r\n\r\nHi\r\n"
    signed = sign(mail, length=True)
    longer = signed + b"Pay Eve.\r\n"
    assert python_says(longer) == [True]
    whole, added = judge(folder, [signed, longer])
    assert results(whole) == ["pass"]
    assert added.dkim[0][0::4] == ("policy", "only the first 4 of 14 octets of the body are signed")


def make_arc(mail, hops):
    """Each hop sees a mail that passes, seals it, and adds a Received above."""
    for chain, (selector, domain) in zip([b"none", b"pass", b"pass"], hops):
        mail = b"Authentication-Results: mx." + domain + b"; arc=" + chain + b"; dmarc=pass header.from=example.com\r\n" + mail
        sealed = dkim.arc_sign(mail, selector, domain, RSA_1024, b"mx." + domain, include_headers=[b"from", b"to", b"subject", b"date", b"message-id"])
        mail = b"Received: by mx." + domain + b"; now\r\n" + b"".join(sealed) + mail
    return mail


HOPS = [(b"list", b"lists.example"), (b"relay", b"relay.example"), (b"rsa", b"example.com")]
LETTER = (b"From: Bob <bob@example.com>\r\nTo: alice@silo.example.org\r\nSubject: Hi\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\n"
          b"Message-ID: <1@example.com>\r\n\r\nHi\r\n")


def test_chains_of_others_pass(folder):
    chains = [make_arc(LETTER, HOPS[:count]) for count in (1, 2, 3)]
    for count, (mail, judgement) in enumerate(zip(chains, judge(folder, chains)), start=1):
        assert dkim.arc_verify(mail, dnsfunc=lookup)[0] == b"pass"
        assert judgement.arc == ("pass", ""), judgement
        assert [sealer for sealer, _, _ in judgement.sets] == [domain.decode() for _, domain in HOPS[:count]]
        assert all(signer == sealer for sealer, signer, _ in judgement.sets)
        assert re.match(r"mx[.]lists[.]example; .*dmarc=pass header[.]from=example[.]com", judgement.sets[0][2])
        assert judgement.questions == count + 1


def test_chains_of_mail_dkim_pass(folder):
    perl, mail, chains = Perl(folder), LETTER, []
    for chain, (selector, domain) in zip(["none", "pass", "pass"], HOPS):
        mail = b"Authentication-Results: mx." + domain + b"; dmarc=pass header.from=example.com\r\n" + mail
        mail = perl.sign(f"arc:{chain}:{domain.decode()}:{selector.decode()}", [mail])[0]
        chains.append(mail)
    for count, judgement in enumerate(judge(folder, chains), start=1):
        assert judgement.arc[0] == "pass", judgement
        assert [sealer for sealer, _, _ in judgement.sets] == [domain.decode() for _, domain in HOPS[:count]]
        assert "dmarc=pass" in judgement.sets[0][2]


def test_broken_chains_fail(folder):
    """What is changed in the message or in any set, missing, twice, or out of order."""
    mail = make_arc(LETTER, HOPS)
    fields = re.split(rb"\r\n(?![ \t])", mail.partition(b"\r\n\r\n")[0])
    arc = [field for field in fields if field.lower().startswith(b"arc-")]
    assert len(arc) == 9
    broken = [mail + b"more\r\n", mail.replace(b"Subject: Hi", b"Subject: Ho"), b"Subject: Ho\r\n" + mail,
              mail.replace(b"cv=pass", b"cv=fail", 1), mail.replace(b"cv=none", b"cv=pass")]
    for field in arc:
        broken.append(mail.replace(field + b"\r\n", b"", 1))                      # missing
        broken.append(field + b"\r\n" + mail)                                     # twice
        broken.append(mail.replace(field, re.sub(rb"\bi=\d+", b"i=4", field), 1))   # of another instance
        broken.append(mail.replace(field, field.replace(b"example", b"exampld", 1), 1))
    for changed, judgement in zip(broken, judge(folder, broken)):
        assert changed != mail and judgement.arc[0] == "fail" and judgement.arc[1], (changed, judgement)
    # A sealer whose key can't be looked up now: nobody knows yet.
    zone = {**ZONE, "relay._domainkey.relay.example": None}
    assert judge(folder, [mail], zone)[0].arc == ("temperror", "seal 2: its key could not be looked up")


def test_keys_of_any_size_and_record(folder):
    """What a key's record says decides, and RFC 8301 about its length."""
    def make_key(bits):
        pem = subprocess.run(["openssl", "genrsa", "-traditional", str(bits)], check=True, capture_output=True, timeout=PATIENCE).stdout
        der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=pem, check=True, capture_output=True, timeout=PATIENCE).stdout
        return pem, base64.b64encode(der).decode()

    long_key, long_public = make_key(2048)
    short_key, short_public = make_key(512 + 256)
    parted = " \r\n\t".join(ED25519_PUBLIC[at:at + 7] for at in range(0, len(ED25519_PUBLIC), 7))
    rows = [
        (long_key, f"v=DKIM1; p={long_public}", "pass", ""),
        (RSA_1024, f"p={RSA_1024_PUBLIC}", "pass", "RSA key of 1024 bits"),
        (short_key, f"p={short_public}", "fail", "an RSA key of 768 bits is too short"),
        (ED25519, f"v=DKIM1 ; k = ed25519; p={parted};", "pass", ""),
        (ED25519, f"k=ed25519; p={ED25519_PUBLIC}; n=a note; g=; zz=1; h=sha1 : sha256; s=tlsrpt:email; t=x:z", "pass", ""),
        (ED25519, ["v=spf1 -all", f"k=ed25519; p={ED25519_PUBLIC}"], "pass", ""),
        (ED25519, [f"p={RSA_1024_PUBLIC}", f"k=ed25519; p={ED25519_PUBLIC}"], "pass", ""),
        (ED25519, f"k=ed25519; t=y; p={ED25519_PUBLIC}", "neutral", "it is right, but the domain is only testing"),
        (long_key, f"t=s:y; p={RSA_1024_PUBLIC}", "neutral", "it is wrong, but the domain is only testing"),
        (long_key, f"p={RSA_1024_PUBLIC}", "fail", "the header was changed, or another key has signed"),
        (ED25519, "v=DKIM1; k=ed25519; p=", "permerror", "the key was revoked"),
        (ED25519, "v=DKIM1; k=ed25519", "permerror", "the key is missing in its record"),
        (ED25519, f"p={ED25519_PUBLIC}", "permerror", "the key is of another kind than the signature"),
        (long_key, f"k=ed25519; p={ED25519_PUBLIC}", "permerror", "the key is of another kind than the signature"),
        (ED25519, f"k=ed25519; p={RSA_1024_PUBLIC}", "permerror", "the key can't be read"),
        (long_key, f"p={ED25519_PUBLIC}", "permerror", "the key can't be read"),
        (ED25519, f"k=ed25519; p={ED25519_PUBLIC[:-3]}!==", "permerror", "the key can't be read"),
        (ED25519, f"k=ed25519; v=DKIM1; p={ED25519_PUBLIC}", "permerror", "the key is of an unknown version"),
        (ED25519, f"v=dkim1; k=ed25519; p={ED25519_PUBLIC}", "permerror", "the key is of an unknown version"),
        (ED25519, f"k=ed25519; h=sha1; p={ED25519_PUBLIC}", "permerror", "the key is not meant for SHA-256"),
        (ED25519, f"k=ed25519; s=tlsrpt; p={ED25519_PUBLIC}", "permerror", "the key is not meant for mail"),
        (ED25519, f"k=ed25519; k=ed25519; p={ED25519_PUBLIC}", "permerror", "the key is in a record that is not of its form"),
        (ED25519, "hello", "permerror", "the key is in a record that is not of its form"),
        (ED25519, None, "temperror", "its key could not be looked up"),
    ]
    zone, mails = {}, []
    for number, (key, record, _, _) in enumerate(rows):
        if record is not None or number:
            zone[f"s{number}._domainkey.example.com"] = record
        algorithm = b"ed25519-sha256" if key == ED25519 else b"rsa-sha256"
        mails.append(dkim.sign(LETTER, b"s%d" % number, b"example.com", key, signature_algorithm=algorithm) + LETTER)
    for row, judgement in zip(rows, judge(folder, mails, zone)):
        assert judgement.dkim[0][0::4] == row[2:], (row, judgement)
    missing = judge(folder, [sign(LETTER)], {"other.example.com": "x"})[0]
    assert missing.dkim[0][0::4] == ("permerror", "there is no key")


@pytest.mark.parametrize("selector", [b"ed", b"rsa"])
def test_times_have_five_minutes_of_grace(folder, selector):
    """t= of python3-dkim is now; our clock may differ."""
    signed, now = sign(LETTER, selector), int(time.time())
    said = [results(judge(folder, [signed], now=now + shift)[0]) for shift in (-290, 0, 10**9, -400)]
    assert said == [["pass"], ["pass"], ["pass"], ["temperror"]]
