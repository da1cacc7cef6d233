"""What members' mail looks like to programs that are not ours: Python's email package and Perl's Encode read names and subjects back."""
import email
import email.header
import email.policy
import email.utils
import json
import re
import subprocess

from mail import BOB, make_mail, plain_text, send
from postfix import read_maildir, read_raw_maildir
from postern import DOMAIN, Member
from procs import PATIENCE, wait_until

# Prints the decoded Subject and the decoded phrase of From as a JSON list; the header is on standard input.
PERL = r"""
use strict; use warnings; use Encode; use JSON::PP; binmode STDIN; local $/; my $header = <STDIN>; $header =~ s/\r?\n(?=[ \t])//g;
my ($subject) = $header =~ /^Subject:[ ]?(.*?)\r?$/m; my ($from) = $header =~ /^From:[ ]?(.*?)[ ]*<[^<>]*>\r?$/m;
$from = $1 if $from =~ /^"(.*)"$/; $from =~ s/\\(.)/$1/g;
print encode_json([map { decode("MIME-Header", $_) } $subject, $from]);
"""

SUBJECTS = [
    "Plain", "Grüße aus Köln", "Ærøskøbing – smørrebrød", "Ελληνικά: ερώτηση", "Кириллица и ещё немного слов, чтобы строка была длинной",
    "مرحبا بالعالم: سؤال", "שלום עולם (שאלה)", "नमस्ते दुनिया, यह एक लंबा विषय है", "ภาษาไทยไม่มีช่องว่างระหว่างคำ",
    "門の図面について、とても長い件名がここに続きます。もっと長く、もっと長く。", "问题：图纸", "한국어 제목",
    "family \U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466 and \U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F",
    "e\u0301 combining a\u0308\u0323 marks", "=?utf-8?Q?literal?= words", "a, b; c: <d> \"e\" \\ (f)", "100 % = \"done\" _ ? ! #",
    "x" * 970, "ab " * 332, "ü" * 499, "\U0001F600" * 249, "tail " + "é" * 40 + " ascii " + "字" * 30,
]


def check_raw(raw):
    """RFC 5322 and RFC 2047: ASCII, lines, and encoded words each of which can be decoded by itself."""
    header = raw.partition(b"\r\n\r\n")[0]
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    for word in re.findall(rb"=\?utf-8\?[BQ]\?[^?]*\?=", header):
        assert len(word) <= 75
        [(text, charset)] = email.header.decode_header(word.decode())
        text.decode(charset)   # no character in two words


def read_back(raw):
    """Subject and the name in From, as both programs read them."""
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    # Python 3.11 puts a blank between the encoded words of a name when it parses addresses, against RFC 2047 section 6.2.
    name = email.utils.parseaddr(email.message_from_bytes(raw)["From"])[0]
    seen = [mail["Subject"], str(email.header.make_header(email.header.decode_header(name)))]
    printed = subprocess.run(["perl", "-e", PERL], input=raw.partition(b"\r\n\r\n")[0], check=True, capture_output=True, timeout=PATIENCE).stdout
    assert json.loads(printed) == seen
    return tuple(seen)


def test_subjects_of_every_script_come_back(gateway, bob_to_alice):
    wanted = {}
    for number, subject in enumerate(SUBJECTS):
        bob_to_alice.post(BOB, f"This is {number}.", subject=subject)
        wanted[f"This is {number}."] = " ".join(subject.split())
    wait_until("all have left", lambda: len(read_maildir(gateway.maildir)) == len(SUBJECTS))
    for raw in read_raw_maildir(gateway.maildir):
        check_raw(raw)
        body = plain_text(email.message_from_bytes(raw, policy=email.policy.default)).strip()
        assert read_back(raw) == (wanted.pop(body), f"Alice Member via {DOMAIN}")
    assert not wanted


def test_names_of_every_kind_come_back(stopped_gateway, silo, folder):
    gateway = stopped_gateway
    gateway.extra = 'mail { from_name = "{alias} via Acme, Inc." }'
    gateway.start()
    names = {
        "Stone, Dan \"D\" (x)": "Stone, Dan \"D\" (x) via Acme, Inc.",
        "Jürgen Müller-Lüdenscheidt": "Jürgen Müller-Lüdenscheidt via Acme, Inc.",
        "山田太郎さん": "山田太郎さん via Acme, Inc.",
        "محمد عبد الله": "محمد عبد الله via Acme, Inc.",
        "ceo@bank.example": "ceo(at)bank.example via Acme, Inc.",
        "ceo\uFF20bank.example <x>": "ceo(at)bank.example <x> via Acme, Inc.",
        "=?utf-8?Q?Eve?=": "=?utf-8?Q?Eve?= via Acme, Inc.",
        "w" * 200: "w" * 200 + " via Acme, Inc.",
        "ж" * 28: "ж" * 28 + " via Acme, Inc.",
    }
    for number, (alias, shown) in enumerate(names.items()):
        members = f"{folder}/{number}"
        subprocess.run(["mkdir", members], check=True)
        member = Member(members, silo, alias)
        gateway.introduce(member, f"m{number}")
        gateway.open_door(BOB, member)
        member.post(BOB, "Hello", subject=f"From {number}")
        raw = wait_until("the mail leaves", lambda wanted=number: read_raw_maildir(gateway.maildir)[wanted:])[0]
        check_raw(raw)
        assert read_back(raw) == (f"From {number}", shown)
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        assert mail["From"].addresses[0].addr_spec == f"m{number}@{DOMAIN}" == mail["Reply-To"].addresses[0].addr_spec


def test_the_fields_of_a_conversation(gateway, alice, bob_to_alice):
    """Who is named where, and nothing that a mailing list would have."""
    gateway.open_door("carol@example.net", alice)
    alice.post([BOB, "carol@example.net"], "To both", subject="Plans")
    first = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    assert [address.addr_spec for address in first["To"].addresses] == [BOB, "carol@example.net"]
    assert first["Cc"] is None and first["Subject"] == "Plans" and first["Date"].endswith(" +0000")
    assert first["MIME-Version"] == "1.0" and first["Auto-Submitted"] is None
    answer = make_mail("AW: Re[2]: Plans", "Fine\n", references=[first["Message-ID"]])
    send(gateway.smtp_port, answer)
    received = alice.receive_where("the answer", lambda item: item["op"] == "delivery" and "Fine" in item["body"])
    assert received["subject"] == "", "the same, as far as a member can see"
    alice.post([BOB, "carol@example.net"], "Good", thread=received["threadid"])
    second = wait_until("the second mail leaves", lambda: read_maildir(gateway.maildir)[1:])[0]
    assert [address.addr_spec for address in second["To"].addresses] == [BOB, "carol@example.net"]
    assert second["Subject"] == "Re: Plans"
    assert second["In-Reply-To"] == answer["Message-ID"]
    assert second["References"].split() == [first["Message-ID"], answer["Message-ID"]]
    assert not [name for name in second.keys() if name.lower().startswith("list-") or name.lower() in ("precedence", "sender")]


def test_an_answer_to_mail_without_a_subject_has_none_either(gateway, bob_to_alice):
    mail = make_mail("x")
    del mail["Subject"]
    send(gateway.smtp_port, mail)
    received = bob_to_alice.receive_mail("(no subject)")
    bob_to_alice.post(BOB, "What is it about?", thread=received["threadid"])
    answer = wait_until("the answer leaves", lambda: read_maildir(gateway.maildir))[0]
    assert answer["Subject"].strip() == "Re:"
