"""Conversion: mail to thread message and back through one worker, on one core, beside GMime, which only parses and decodes the same
mails, in turns; and how the time grows with the size of content that was made to be slow (`--pathological`).

GMime is a Debian package. Where it is not installed it is unpacked to build/bench/gmime, with what it needs to be compiled against.
"""
import base64
import glob
import json
import math
import os
import quopri
import random
import shutil
import statistics
import struct
import subprocess

from procs import RELEASE, ROOT

HERE = os.path.dirname(os.path.realpath(__file__))
PROGRAM = os.path.join(RELEASE, "convert_bench")
SECONDS = 3
WORDS = ("the gate is wide enough for a lorry when both wings are open and nobody has parked in front of it so we measured twice "
         "Breite Höhe Größe naïve façade 92 cm — maybe “more” than that").split()
# Octets of each of a family's contents, about: below what is not looked at any more (mapping/convert_limits.h).
MAIL_SIZES = [2**17, 2**18, 2**19, 2**20]
HEADER_SIZES = MARKDOWN_SIZES = [30000, 60000, 120000, 240000]


# ---- content ----

def text(random_, octets, line=72):
    """Sentences, in lines."""
    lines, current = [], ""
    while octets > 0:
        word = random_.choice(WORDS)
        if len(current) + len(word) > line:
            lines.append(current)
            octets -= len(current.encode()) + 2
            current = ""
        current += (" " if current else "") + word
    return "\r\n".join(lines + [current]) + "\r\n"


def header(subject, *fields):
    return ("Return-Path: <bob@example.com>\r\n"
            "Received: from mx.example.com (mx.example.com [192.0.2.1])\r\n\tby mail.example.org (Postfix) with ESMTPS id 4X1abc\r\n"
            "\tfor <alice@silo.example.org>; Thu, 26 Nov 2026 06:00:00 +0000 (UTC)\r\n"
            "Authentication-Results: mail.example.org; dkim=pass header.d=example.com; dmarc=pass header.from=example.com\r\n"
            "From: =?utf-8?B?Qm9iIE3DvG5zdGVy?= <bob@example.com>\r\nTo: Alice <alice@silo.example.org>\r\n"
            "Cc: Carol <carol@example.net>\r\nDate: Thu, 26 Nov 2026 06:00:00 +0000\r\nMessage-ID: <1.abc@example.com>\r\n"
            f"Subject: {subject}\r\nMIME-Version: 1.0\r\n" + "".join(field + "\r\n" for field in fields) + "\r\n").encode()


def small(random_):
    body = text(random_, 1200) + "\r\nOn 25 November 2026 Alice wrote:\r\n> " + text(random_, 200).replace("\r\n", "\r\n> ") + "\r\n-- \r\nBob\r\n"
    return header("The gate", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit") + body.encode()


def html(random_, octets):
    """A newsletter: a table for the layout, styles, headings, lists, links and pictures."""
    rows = []
    while sum(map(len, rows)) < octets:
        number = len(rows)
        rows.append(f'<tr><td style="padding:12px 24px;font-family:Arial,sans-serif;font-size:14px;color:#333"><h2 style="margin:0">Offer {number}</h2>'
                    f'<a href="https://news.example.com/c/{number}?u=abc&amp;t=1"><img src="https://cdn.example.com/{number}.png" width="200" height="80" alt="Offer {number}"></a>'
                    f'<p style="line-height:1.4">{text(random_, 500)}</p><ul><li><b>New</b>: {text(random_, 60)}</li><li>{text(random_, 60)}</li></ul></td></tr>')
    return ('<!DOCTYPE html><html><head><meta charset="utf-8"><title>News</title><style>' + "p{margin:0 0 8px} a{color:#06c} " * 60 + "</style></head><body>"
            '<div style="display:none">preheader</div><table width="600" align="center">' + "\r\n".join(rows) + "</table></body></html>\r\n").encode()


def newsletter(random_):
    body = quopri.encodestring(html(random_, 52000)).replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n")
    return header("News", "Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: quoted-printable") + body


def attached(data, kind, name, *fields):
    return (f"Content-Type: {kind}; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n" + "".join(field + "\r\n" for field in fields) + "\r\n").encode() + \
        base64.encodebytes(data).replace(b"\n", b"\r\n")


def multipart(boundary, parts):
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


def pictures(random_):
    plain = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text(random_, 2000).encode()
    rich = b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>" + text(random_, 2000).encode() + b'</p><img src="cid:a@b"><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table><img src="cid:c@d">'
    alternative = b"Content-Type: multipart/alternative; boundary=ALT\r\n\r\n" + multipart(b"ALT", [plain, rich])
    images = [attached(random_.randbytes(60000), "image/png", f"{name}.png", f"Content-ID: <{name}>", "Content-Disposition: inline") for name in ("a@b", "c@d")]
    return header("Pictures", "Content-Type: multipart/related; boundary=REL") + multipart(b"REL", [alternative, *images])


def heavy(random_):
    plain = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text(random_, 1000).encode()
    files = [attached(random_.randbytes(2_500_000), "application/pdf", f"plan{number}.pdf", "Content-Disposition: attachment") for number in range(3)]
    return header("Plans", "Content-Type: multipart/mixed; boundary=MIX") + multipart(b"MIX", [plain, *files])


def markdown(random_):
    return ("# The gate\n\n" + text(random_, 800).replace("\r\n", "\n") + "\n\n- **one** of *them*\n- [a page](https://example.com/?a=1&b=2)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> "
            + text(random_, 300).replace("\r\n", "\n> ") + "\n\n```\nx < y\n```\n").encode()


MAILS = [("small text, 2 KiB", small), ("newsletter, 60 KiB", newsletter), ("two forms and pictures", pictures), ("attachments, 10 MiB", heavy)]


# ---- content that was made to be slow: each takes about how many octets, and gives a mail ----

def plain_mail(body):
    return header("Slow", "Content-Type: text/plain; charset=utf-8") + body


def html_mail(body):
    return header("Slow", "Content-Type: text/html; charset=utf-8") + b"<html><body>" + body + b"</body></html>"


def nested(octets):
    """As deep as goes, again and again."""
    out, depth = [], 45
    for number in range(18):   # 1,000 parts are the limit
        part = b"Content-Type: text/plain\r\n\r\n" + b"x\r\n" * (octets // 60)
        for level in range(depth):
            name = b"b%d-%d" % (number, level)
            part = b"Content-Type: multipart/mixed; boundary=" + name + b"\r\n\r\n" + multipart(name, [part])
        out.append(part)
    return header("Slow", "Content-Type: multipart/mixed; boundary=top") + multipart(b"top", out)


def boundaries(octets):
    """Lines that begin like a boundary, in a part that has many of them open."""
    depth, part = 45, b"Content-Type: text/plain\r\n\r\n" + b"--bbbbbbbbbbbbbbbbbbbb\r\n" * (octets // 24)
    for level in range(depth):
        name = b"b" * 20 + b"%d" % level
        part = b"Content-Type: multipart/mixed; boundary=" + name + b"\r\n\r\n" + multipart(name, [part])
    return header("Slow", "Content-Type: multipart/mixed; boundary=top") + multipart(b"top", [part])


def many_parts(octets):
    count = 900
    filler = b"y" * max(octets // count - 40, 1)
    return header("Slow", "Content-Type: multipart/mixed; boundary=b") + multipart(b"b", [b"Content-Disposition: attachment; filename=a\r\n\r\n" + filler] * count)


def special_mail(type_, content):
    return header("Slow", f"Content-Type: {type_}", "Content-Transfer-Encoding: base64") + base64.encodebytes(content).replace(b"\n", b"\r\n")


def calendar(lines):
    return special_mail("text/calendar; charset=utf-8", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\n" + lines)


def winmail(*attributes):
    """Attributes of a winmail.dat: level, number, data."""
    out = b"\x78\x9F\x3E\x22\1\0"
    for level, number, data in attributes:
        out += struct.pack("<BII", level, number, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)
    return special_mail("application/ms-tnef", out)


def winmail_rtf(rtf):
    value = struct.pack("<IIII", len(rtf) + 12, len(rtf), 0x414C454D, 0) + rtf
    return winmail((1, 0x00069003, struct.pack("<IHHII", 1, 0x102, 0x1009, 1, len(value)) + value + bytes(-len(value) % 4)))


def signature_in_pieces(octets):
    """An opaque S/MIME signature that has its content in pieces of two octets."""
    def oid(last):
        return b"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07" + bytes([last])
    return special_mail("application/pkcs7-mime; smime-type=signed-data",
                        b"\x30\x80" + oid(2) + b"\xA0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80" + oid(1) + b"\xA0\x80\x24\x80"
                        + b"\x04\x02\r\n" * (octets // 4) + bytes(12))


INCOMING = {
    "MIME: nesting": nested,
    "MIME: lines like boundaries": boundaries,
    "MIME: 900 parts": many_parts,
    "header: encoded words": lambda n: b"From: b@example.com\r\nSubject: " + b"=?utf-8?Q?=C3=BC?=\r\n " * (n // 21) + b"\r\n\r\nx\r\n",
    "header: fields": lambda n: b"From: b@example.com\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * (n // 900)) for i in range(900)) + b"\r\nx\r\n",
    "header: addresses in To": lambda n: b"From: b@example.com\r\nTo: " + b",\r\n ".join(b"p%d@example.net" % i for i in range(n // 20)) + b"\r\n\r\nx\r\n",
    "header: comments": lambda n: b"From: b@example.com\r\nTo: " + b"(" * (n // 2) + b")" * (n // 2) + b" <c@example.net>\r\n\r\nx\r\n",
    "header: parameters": lambda n: header("Slow", "Content-Type: text/plain" + "".join(f";\r\n name*{i}*=x%20" for i in range(min(n, 7000) // 16))) + b"y" * n,
    "text: brackets": lambda n: plain_mail(b"[" * n),
    "text: links that don't end": lambda n: plain_mail(b"<http://a(" * (n // 10)),
    "text: stars": lambda n: plain_mail(b"*a **b " * (n // 7)),
    "text: backticks": lambda n: plain_mail(b"` `` ``` ```` " * (n // 14)),
    "text: quotes": lambda n: plain_mail((b">" * 500 + b"x\r\n" + b"y\r\n") * (n // 506)),
    "text: quotes, alternating": lambda n: plain_mail(b">>>>>>>> a\r\n> b\r\n" * (n // 17)),
    "text: attributions": lambda n: plain_mail(b"On Mon, 3 Mar 2025 10:00, Bob <b@a.b> wrote:\r\n> x\r\ny\r\n" * (n // 53)),
    "text: attributions without a verb": lambda n: plain_mail(b"On Mon, 3 Mar 2025 10:00, Bob <b@a.b>:\r\n" * (n // 41)),
    "text: blocks of an old mail": lambda n: plain_mail(b"From: a\r\nSent: 3\r\nTo: b\r\nSubject: c\r\n\r\n" * (n // 40)),
    "text: fields of no block": lambda n: plain_mail(b"From: a\r\nTo: b\r\nFrom: c\r\n" * (n // 26)),
    "text: attributions that don't end": lambda n: plain_mail(b"On Mon, 3 Mar 2025 10:00, Bob <b@a.b>\r\n" * (n // 40)),
    "text: flowed": lambda n: header("Slow", "Content-Type: text/plain; format=flowed; delsp=yes") + b"a \r\n" * (n // 4),
    "text: one line": lambda n: plain_mail(b"a b " * (n // 4)),
    "text: columns": lambda n: plain_mail(b"a   b   c   d\r\n" * (n // 15)),
    "text: dashes": lambda n: plain_mail(b"-- \r\nx\r\n" * (n // 8)),
    "text: addresses": lambda n: plain_mail(b"a@b.c." * (n // 6)),
    "text: at signs": lambda n: plain_mail(b"@" * n),
    "text: uuencoded": lambda n: plain_mail(b"begin 644 a\r\n" * (n // 13)),
    "HTML: nesting": lambda n: html_mail(b"<div>" * (n // 5)),
    "HTML: nested lists": lambda n: html_mail(b"<ul><li>" * (n // 8)),
    "HTML: nested tables": lambda n: html_mail(b"<table><tr><td>" * (n // 15)),
    "HTML: nested quotes": lambda n: html_mail(b"<blockquote>a" * (n // 13)),
    "HTML: attributions": lambda n: html_mail(b"<p>On Mon, 3 Mar 2025 10:00, Bob &lt;b@a.b> wrote:<blockquote>a</blockquote>b" * (n // 77)),
    "HTML: fields of no block": lambda n: html_mail(b"<p>From: a<p>To: b" * (n // 18)),
    "HTML: emphasis that doesn't end": lambda n: html_mail(b"<b>a<i>b" * (n // 8)),
    "HTML: formatting across paragraphs": lambda n: html_mail(b"<b><p>a</b>" * (n // 11)),
    "HTML: a table's cells": lambda n: html_mail(b"<table><tr>" + b"<td>a</td>" * (n // 10) + b"</tr></table>"),
    "HTML: a table's rows": lambda n: html_mail(b"<table>" + b"<tr><td>a<td>b</tr>" * (n // 20) + b"</table>"),
    "HTML: links": lambda n: html_mail(b"<a href='http://example.com/'>x</a>" * (n // 35)),
    "HTML: links that don't end": lambda n: html_mail(b"<a href=x>" * (n // 10)),
    "HTML: pictures": lambda n: html_mail(b"<img src=cid:x>" * (n // 15)),
    "HTML: attributes": lambda n: html_mail(b"<p " + b"a=b " * min(n // 4, 8000) + b">" + b"<p a=b>" * (n // 7)),
    "HTML: comments": lambda n: html_mail(b"<!--" * (n // 4)),
    "HTML: conditional comments": lambda n: html_mail(b"<!--[if mso]>" * (n // 13)),
    "HTML: entities": lambda n: html_mail(b"&amp;" * (n // 5)),
    "HTML: tags that don't end": lambda n: html_mail(b"<" * n),
    "HTML: styles": lambda n: html_mail(b"<p style='" + b"a:b;" * min(n // 4, 8000) + b"'>" + b"<p style='mso-list:l0 level1'>" * (n // 30)),
    "HTML: blanks": lambda n: html_mail(b" \n" * (n // 2)),
    "calendar: people": lambda n: calendar(b"ATTENDEE;CN=a;PARTSTAT=ACCEPTED:mailto:a@example.com\r\n" * (n // 54)),
    "calendar: parts in parts": lambda n: calendar(b"BEGIN:VEVENT\r\n" * (n // 14)),
    "calendar: dates": lambda n: calendar(b"DTSTART:20260303\r\nRRULE:FREQ=DAILY\r\nEXDATE:" + b"20260303," * (n // 9)),
    "calendar: time zones": lambda n: calendar(b"END:VEVENT\r\n" + b"BEGIN:VTIMEZONE\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
                                               b"TZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n" * (n // 106)),
    "calendar: folds": lambda n: calendar(b"LOCATION:" + b"x\r\n " * (n // 4)),
    "cards": lambda n: special_mail("text/vcard", b"BEGIN:VCARD\r\nFN:a\r\nEND:VCARD\r\n" * (n // 30)),
    "winmail.dat: files": lambda n: winmail(*[(2, 0x00069002, bytes(14)), (2, 0x0006800F, b"x")] * (n // 37)),
    "winmail.dat: properties": lambda n: winmail((1, 0x00069003, struct.pack("<I", n // 16)
                                                  + (struct.pack("<HHII", 0x1E, 0x37, 1, 4) + b"abcd") * (n // 16))),
    "winmail.dat: nested RTF": lambda n: winmail_rtf(b"{\\rtf1 " + b"{a" * (n // 2)),
    "winmail.dat: fonts of RTF": lambda n: winmail_rtf(b"{\\rtf1{\\fonttbl{\\f0\\fcharset204 A;}{\\f1\\fcharset0 B;}}" + b"\\f0 a\\f1 b" * (n // 10)),
    "S/MIME: pieces": signature_in_pieces,
}
OUTGOING = {
    "way out: brackets": lambda n: b"[" * n,
    "way out: links that don't end": lambda n: b"[a](<b" * (n // 6),
    "way out: pictures": lambda n: b"![a](this_u:x)" * (n // 14),
    "way out: stars": lambda n: b"*a **b " * (n // 7),
    "way out: backticks": lambda n: b"` `` ``` ```` " * (n // 14),
    "way out: nested quotes": lambda n: b"> " * (n // 2),
    "way out: nested lists": lambda n: b"- " * (n // 2),
    "way out: quotes": lambda n: b"> a\nb\n\n" * (n // 7),
    "way out: a table's columns": lambda n: b"|a" * min(n // 4, 4000) + b"|\n" + b"|-" * min(n // 4, 4000) + b"|\n" + b"|b\n" * (n // 3),
    "way out: a table's rows": lambda n: b"|a|b|\n|-|-|\n" + b"|c|d|\n" * (n // 6),
    "way out: references": lambda n: b"".join(b"[a%d]: b\n" % i for i in range(n // 20)) + b"[a1] " * (n // 10),
    "way out: entities": lambda n: b"&amp;" * (n // 5),
    "way out: addresses": lambda n: b"http://a.b/" * (n // 11),
    "way out: slides": lambda n: b"a\n\n---\n\n" * (n // 8),
}


# ---- GMime ----

def gmime_flags():
    """How to compile against GMime; None when it can't be had."""
    if subprocess.run(["pkg-config", "gmime-3.0"], capture_output=True, check=False).returncode == 0:
        return subprocess.run(["pkg-config", "--cflags", "--libs", "gmime-3.0"], check=True, capture_output=True, text=True).stdout.split()
    folder = os.path.join(ROOT, "build", "bench", "gmime")
    unpacked = subprocess.run([os.path.join(ROOT, "scripts", "unpack-packages"), folder, os.path.join(ROOT, "scripts", "packages-bench.txt")],
                              capture_output=True, check=False)
    libraries = glob.glob(os.path.join(folder, "usr", "lib", "*", "libgmime-3.0.so"))
    if unpacked.returncode != 0 or not libraries:
        return None
    lib, include = os.path.dirname(libraries[0]), os.path.join(folder, "usr", "include")
    return [f"-I{include}/gmime-3.0", f"-I{include}/glib-2.0", f"-I{lib}/glib-2.0/include", f"-L{lib}", f"-Wl,-rpath,{lib}",
            "-Wl,--disable-new-dtags", "-Wl,--allow-shlib-undefined", "-lgmime-3.0", "-lgobject-2.0", "-lglib-2.0"]


def build_gmime(folder):
    flags = gmime_flags()
    program = os.path.join(folder, "gmime_bench")
    if flags is None:
        return None
    subprocess.run(["cc", "-O2", "-o", program, os.path.join(HERE, "gmime_bench.c"), *flags], check=True)
    return program


# ---- measuring ----

def run_json(command):
    if shutil.which("taskset"):
        command = ["taskset", "-c", str(min(os.sched_getaffinity(0))), *command]
    result = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=600)
    return json.loads(result.stdout)


def rates(entry):
    """Messages and MB in a second of wall-clock time, and messages in a second of processor time."""
    processor = entry["daemon_seconds"] + entry["worker_seconds"]
    return {"per_s": entry["messages"] / entry["seconds"], "mb_per_s": entry["messages"] * entry["bytes"] / entry["seconds"] / 1e6,
            "per_cpu_s": entry["messages"] / processor, "mb_per_cpu_s": entry["messages"] * entry["bytes"] / processor / 1e6}


def show(name, entries):
    middle = {key: statistics.median(rates(entry)[key] for entry in entries) for key in rates(entries[0])}
    print(f"{name:38} {middle['per_s']:10.0f} {middle['mb_per_s']:9.1f} {middle['per_cpu_s']:14.0f} {middle['mb_per_cpu_s']:9.1f}", flush=True)
    return middle


def speed(folder, rounds):
    gmime = build_gmime(folder)
    if not gmime:
        print("GMime can't be had: Postern alone")
    print(f"{'one core, median of ' + str(rounds) + ' rounds':38} {'messages/s':>10} {'MB/s':>9} {'messages/CPU s':>14} {'MB/CPU s':>9}")
    results = []
    loads = [(name, "in", make, None) for name, make in MAILS]
    loads += [("a member's message, 2 KiB", "out", markdown, None), ("with an attachment of 7.5 MB", "out", markdown, 7_500_000)]
    for number, (name, kind, make, size) in enumerate(loads):
        random_ = random.Random(number)
        path, attachment = os.path.join(folder, f"{number}.content"), os.path.join(folder, f"{number}.attachment")
        with open(path, "wb") as file:
            file.write(make(random_))
        commands = {"Postern": [PROGRAM, kind, folder, str(SECONDS), path]}
        if size:
            with open(attachment, "wb") as file:
                file.write(random_.randbytes(size))
            commands["Postern"].append(attachment)
        if gmime and kind == "in":
            commands["GMime"] = [gmime, str(SECONDS), path]
        measured = {who: [] for who in commands}
        for _ in range(rounds):
            for who, command in commands.items():
                measured[who].append(run_json(command))
        results.append({"name": name, "way": kind, "rounds": measured,
                        "medians": {who: show(f"{name}: {who}", entries) for who, entries in measured.items()}})
    return {"rounds": rounds, "loads": results}


def exponent(sizes, times):
    """Of the growth from the first to the last size; what takes next to no time says nothing."""
    return math.log(times[-1] / times[0], sizes[-1] / sizes[0]) if times[-1] >= 0.0002 else None


def families():
    for name, make in INCOMING.items():
        yield name, "time-in", HEADER_SIZES if name.startswith("header") else MAIL_SIZES, make
    for name, make in OUTGOING.items():
        yield name, "time-out", MARKDOWN_SIZES, make


def pathological(folder):
    """Time against size. 1 is linear, 2 quadratic."""
    print(f"{'milliseconds for':40}{'size':>13}{'twice':>13}{'4 times':>13}{'8 times':>13}  exponent")
    results = []
    for name, kind, sizes, make in families():
        times = []
        for size in sizes:
            path = os.path.join(folder, "slow")
            with open(path, "wb") as file:
                file.write(make(size))
            times.append(float(subprocess.run([PROGRAM, kind, path], check=True, text=True, stdout=subprocess.PIPE,
                                              stderr=subprocess.DEVNULL, timeout=600).stdout))
        growth = exponent(sizes, times)
        print(f"{name:40}" + "".join(f"{1000 * value:13.2f}" for value in times) + (f"{growth:10.2f}" if growth is not None else "         -")
              + ("  more than linear" if growth and growth > 1.3 else ""), flush=True)
        results.append({"name": name, "sizes": sizes, "seconds": times, "exponent": growth})
    return {"families": results}


def run(folder, rounds, is_pathological):
    return pathological(folder) if is_pathological else speed(folder, rounds)
