"""The mails of tests/corpora/spoof: read, signed and sealed as each one's `.expect` says (../corpora/README.md), and brought."""
import base64
import glob
import hashlib
import json
import os
import subprocess
import tempfile
import time

import dkim
import nacl.encoding
import nacl.signing
from dkim.canonicalization import CanonicalizationPolicy
from dkim.crypto import parse_pem_private_key

from postern import Conversation
from procs import PATIENCE

CORPUS = os.path.join(os.path.dirname(__file__), "../corpora/spoof")
ALICE = "alice@silo.example.org"
ATTACKER = {"client": "203.0.113.66", "helo": "mx.evil.example", "sender": "mallory@evil.example"}   # who brings a mail, unless it says otherwise
SIGNED = "from:to:subject:date:message-id"


class Keys:
    """What the zone's records and the steps call keys: `rsa`, `short` (512 bits) and `ed25519`, made anew each time."""

    def __init__(self):
        self.private, self.public, self.pem = {}, {}, {}
        for name, bits in (("rsa", 2048), ("short", 512)):
            with tempfile.NamedTemporaryFile(suffix=".pem") as file:
                subprocess.run(["openssl", "genrsa", "-traditional", "-out", file.name, str(bits)], check=True, capture_output=True, timeout=PATIENCE)
                public = subprocess.run(["openssl", "rsa", "-in", file.name, "-pubout", "-outform", "DER"], check=True, capture_output=True,
                                        timeout=PATIENCE)
                self.pem[name] = file.read()
                self.private[name] = parse_pem_private_key(self.pem[name])
                self.public[name] = base64.b64encode(public.stdout).decode()
        key = nacl.signing.SigningKey.generate()
        self.private["ed25519"] = key
        self.public["ed25519"] = key.verify_key.encode(nacl.encoding.Base64Encoder).decode()


def read_scene():
    with open(os.path.join(CORPUS, "scene.json"), encoding="utf-8") as file:
        return json.load(file)


def publish(names, scene, keys):
    """The scene's zone, in a DnsServer."""
    for name, records in scene["names"].items():
        for kind, values in records.items():
            for value in values:
                if kind == "TXT":
                    names.add_txt(name, value.format(**keys.public))
                else:
                    names.add_data(name, kind, value)
    for name, kind in scene["behaviour"].items():
        names.behave(name, kind)


class Case:
    """One mail: its facts, and `raw` as it is brought."""

    def __init__(self, path, keys):
        self.name = os.path.basename(path)[:-len(".expect")]
        with open(path, encoding="utf-8") as file:
            self.expect = {**ATTACKER, "listener": "own", "steps": [], "claims": [], **json.load(file)}
        with open(path[:-len(".expect")] + ".eml", "rb") as file:
            self.raw = file.read()
        for step in self.expect["steps"]:
            [(name, arguments)] = step.items()
            self.raw = STEPS[name](self.raw, arguments, keys)

    def __getitem__(self, key):
        return self.expect[key]

    def is_attack(self):
        return not self.expect.get("passes", False)


def read_cases(keys):
    return [Case(path, keys) for path in sorted(glob.glob(os.path.join(CORPUS, "*.expect")))]


# ---- the steps that make a mail from its file ----

def sign(raw, wish, keys):
    """A signature on top, right in every respect that is not asked to be another."""
    signer = dkim.DKIM(raw)
    algorithm = wish.get("a", "rsa-sha256").encode()
    forms = wish.get("c", "relaxed/relaxed").encode()
    names = tuple(name.encode() for name in wish.get("h", SIGNED).split(":"))
    policy = CanonicalizationPolicy.from_c_value(forms)
    body = policy.canonicalize_body(signer.body)
    signer.signature_algorithm, signer.include_headers = algorithm, names
    signer.hasher = hashlib.sha1 if algorithm == b"rsa-sha1" else hashlib.sha256
    fields = [(b"v", wish.get("v", "1").encode()), (b"a", algorithm), (b"c", forms), (b"d", wish["d"].encode()), (b"s", wish.get("s", "s1").encode())]
    fields += [(b"i", wish["i"].encode())] if "i" in wish else []
    fields += [(name.encode(), str(int(time.time()) + wish[name]).encode()) for name in ("t", "x") if name in wish]
    if "l" in wish:
        size = len(body) if wish["l"] == "all" else wish["l"]
        fields.append((b"l", str(size).encode()))
        body = body[:size]
    fields += [(b"h", b":".join(names)), (b"bh", base64.b64encode(signer.hasher(body).digest())), (b"b", b"0" * 60)]
    key = keys.private["ed25519" if algorithm == b"ed25519-sha256" else wish.get("key", "rsa")]
    return b"DKIM-Signature: " + signer.gen_header(fields, names, policy, b"DKIM-Signature", key) + raw


def seal(raw, wish, keys):
    """As a list or forwarder does that has found these results; arc=pass among them, if there is a chain already."""
    domain = wish["d"].encode()
    came = f"Authentication-Results: {wish['d']}; {wish['results']}\r\n".encode() + raw
    fields = dkim.arc_sign(came, b"s1", domain, keys.pem["rsa"], domain, include_headers=[name.encode() for name in SIGNED.split(":")])
    assert fields, "it could not be sealed"
    return b"".join(fields) + raw


def change(raw, wish, _):
    assert raw.count(wish[0].encode()) > 0, wish
    return raw.replace(wish[0].encode(), wish[1].encode(), 1)


def fill(raw, wish, _):
    """Many lines, before the first that begins so."""
    before = wish["before"].encode()
    assert before in raw, wish
    return raw.replace(before, f"{wish['line']}\r\n".encode() * wish["times"] + before, 1)


def drop(raw, wish, _):
    """Takes the fields away that begin so."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    fields = []
    for line in head.split(b"\r\n"):
        if line[:1] in b" \t" and line:
            fields[-1] += b"\r\n" + line
        else:
            fields.append(line)
    kept = [field for field in fields if not field.startswith(wish.encode())]
    assert len(kept) < len(fields), wish
    return b"\r\n".join(kept) + blank + body


STEPS = {"sign": sign, "seal": seal, "change": change, "fill": fill, "drop": drop,
         "top": lambda raw, text, _: text.encode() + raw, "end": lambda raw, text, _: raw + text.encode()}


# ---- bringing them ----

def quote(raw):
    """As DATA has it: a dot in front of a line that begins with one, and the end. What ends lines is left alone."""
    lines = raw if raw.endswith(b"\r\n") else raw + b"\r\n"
    return (b"." if lines.startswith(b".") else b"") + lines.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def bring(case, ports):
    """The last reply: the one to the data, or the first that refuses what comes before it; what a claim is answered is none."""
    with Conversation(ports[case["listener"]]) as talk:
        reply = talk.reply()
        if not reply.startswith("220"):
            return reply
        talk.say(("LHLO " if case["listener"] == "inside" else "EHLO ") + "relay.test")
        for claim in case["claims"]:
            assert not talk.say(claim).startswith("2"), f"{case.name}: {claim} was believed"
        if case["listener"] == "own":
            assert talk.say(f"XCLIENT ADDR={case['client']} HELO={case['helo']}").startswith("220")
            talk.say(f"EHLO {case['helo']}")
        elif case["listener"] == "inside" and case["client"]:
            assert talk.say(f"XFORWARD ADDR={case['client']} HELO={case['helo']}").startswith("250")
        options = " SMTPUTF8" if not case.raw.isascii() or not case["sender"].isascii() else ""
        for command in (f"MAIL FROM:<{case['sender']}>{options}", f"RCPT TO:<{ALICE}>", "DATA"):
            reply = talk.say(command)
            if reply[:1] not in ("2", "3"):
                return reply
        talk.send(quote(case.raw))
        return talk.reply()
