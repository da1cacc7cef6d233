"""Mail, and members' messages, made to cost whoever reads them more than they cost who sends them.

Each is a function without arguments; MAILS and TEXTS name them all. A mail is bytes from its Content fields on (what stands
above comes from make()), at most 34 MB; a text is what a member writes.
"""
import base64
import struct

MAX = 34_000_000   # below the gateway's max_message in tests
MAILS = {}
TEXTS = {}


def mail(function):
    MAILS[function.__name__] = function
    return function


def text(function):
    TEXTS[function.__name__] = function
    return function


def make(name, subject, sender, recipient, proof):
    """The whole mail."""
    head = (f"{proof}From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\nDate: Thu, 26 Nov 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{subject.replace(' ', '.')}@example.com>\r\nMIME-Version: 1.0\r\n")
    return head.encode() + MAILS[name]()


def typed(kind, body, encoding="8bit"):
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def lines(pattern, count):
    """Lines with a number in each."""
    return "".join(pattern % number for number in range(count)).encode()


def broken(data, width=900):
    """Line ends every so many octets: SMTP has lines of 998."""
    return b"\r\n".join(data[at:at + width] for at in range(0, len(data), width)) + b"\r\n"


def encoded(kind, body):
    return typed(kind, base64.encodebytes(body).replace(b"\n", b"\r\n"), "base64")


def html(body):
    return encoded("text/html; charset=utf-8", body)


# ---- structure ----

@mail
def million_parts():
    return typed("multipart/mixed; boundary=b", b"--b\r\n\r\n\r\n" * 1_000_000 + b"--b--\r\n")


@mail
def million_ends_of_parts():
    return typed("multipart/mixed; boundary=b", b"--b--\r\n--b\r\n" * 1_000_000)


@mail
def nested_multiparts():
    levels = "".join(f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(100_000))
    return typed("multipart/mixed; boundary=b0", levels.encode() + b"--b100000\r\n\r\ntext\r\n")


@mail
def nested_multiparts_of_one_boundary():
    return typed("multipart/mixed; boundary=b", b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 200_000)


@mail
def boundaries_that_begin_alike():
    """Each line may be the end of any of fifty multiparts."""
    long = "x" * 60
    head = "".join(f"--{long}{n}\r\nContent-Type: multipart/mixed; boundary={long}{n + 1}\r\n\r\n" for n in range(48))
    return typed(f"multipart/mixed; boundary={long}0", head.encode() + f"--{long}\r\n".encode() * 400_000)


@mail
def nested_messages():
    return b"Content-Type: message/rfc822\r\n\r\n" * 100_000 + b"Subject: the last\r\n\r\ntext\r\n"


@mail
def nested_messages_in_base64():
    inner = b"Subject: innermost\r\n\r\ntext\r\n"
    for _ in range(30):
        inner = encoded("message/rfc822", inner)
    return inner


@mail
def nested_alternatives():
    levels = "".join(f"--b{n}\r\nContent-Type: text/html\r\n\r\n<p>{n}</p>\r\n--b{n}\r\n"
                     f"Content-Type: multipart/alternative; boundary=b{n + 1}\r\n\r\n" for n in range(49))
    return typed("multipart/alternative; boundary=b0", levels.encode() + b"--b49\r\n\r\n" + b"text and words\r\n" * 900_000)


@mail
def many_alternatives():
    words = b" ".join(b"w%d" % n for n in range(5000))
    part = b"--b\r\nContent-Type: text/html\r\n\r\n<p>" + broken(words) + b"</p>\r\n"
    return typed("multipart/alternative; boundary=b", part * 900 + b"--b--\r\n")


@mail
def many_pictures_that_are_meant_often():
    names = b"".join(b'<img src="cid:p%d@x" alt="%d">' % (n % 900, n) for n in range(100_000))
    page = b"--b\r\nContent-Type: text/html\r\n\r\n" + broken(names)
    parts = b"".join(b"--b\r\nContent-Type: image/png\r\nContent-ID: <p%d@x>\r\n\r\nx\r\n" % n for n in range(900))
    return typed("multipart/related; boundary=b", page + parts + b"--b--\r\n")


# ---- header ----

@mail
def million_fields():
    return b"X-F: y\r\n" * 1_000_000 + b"\r\ntext\r\n"


@mail
def field_of_30_mib():
    return b"X-F: y" + b"\r\n " + b"\r\n ".join([b"x" * 990] * 31_000) + b"\r\n\r\ntext\r\n"


@mail
def fields_just_within_the_limits():
    return b"".join(b"X-F%d: %s\r\n" % (n, b"x" * 240) for n in range(950)) + b"\r\ntext\r\n"


@mail
def million_recipients():
    return b"To: " + lines("a%d@example.com,\r\n ", 1_000_000) + b"b@example.com\r\n\r\ntext\r\n"


@mail
def recipients_within_the_limit():
    return b"To: " + lines("a%d@x.example,\r\n ", 10_000) + b"b@example.com\r\n\r\ntext\r\n"


@mail
def nested_comments():
    return b"Cc: " + b"(\r\n " * 50_000 + b" bob@example.com\r\nReply-To: " + b"(" * 900 + b"\r\n\r\ntext\r\n"


@mail
def million_encoded_words():
    return b"Subject: " + b"=?utf-8?q?a?=\r\n " * 1_000_000 + b"\r\n\r\ntext\r\n"


@mail
def encoded_words_within_the_limit():
    return b"Subject: " + b"=?utf-7?q?+AGE-?=\r\n " * 12_000 + b"\r\n\r\ntext\r\n"


@mail
def encoded_words_of_changing_charsets():
    names = ("iso-2022-jp", "utf-7", "gb18030", "big5", "euc-kr", "iso-2022-kr", "shift_jis", "hz-gb-2312")
    return b"Subject: " + b"".join(b"=?%s?b?GyRCJCI=?=\r\n " % names[n % 8].encode() for n in range(7_000)) + b"\r\n\r\ntext\r\n"


@mail
def million_continuations():
    return b"Content-Type: application/octet-stream\r\nContent-Disposition: attachment" + lines(";\r\n filename*%d*=a", 1_000_000) + b"\r\n\r\nx\r\n"


@mail
def continuations_backwards():
    parameters = "".join(f";\r\n filename*{n}=a" for n in range(450, -1, -1))
    part = f"--b\r\nContent-Disposition: attachment{parameters}\r\n\r\nx\r\n".encode()
    return typed("multipart/mixed; boundary=b", part * 900 + b"--b--\r\n")


@mail
def million_references():
    return b"References: " + lines("<%d@example.com>\r\n ", 1_000_000) + b"\r\n\r\ntext\r\n"


@mail
def many_signatures():
    """What proves a sender: fields that would each be worth a question."""
    return b"".join(b"DKIM-Signature: v=1; a=rsa-sha256; d=d%d.example; s=s; h=from; bh=AA==; b=AA==\r\n" % n for n in range(900)) + \
        b"".join(b"ARC-Seal: i=%d; a=rsa-sha256; d=x.example; s=s; cv=pass; b=AA==\r\n" % n for n in range(50)) + b"\r\ntext\r\n"


@mail
def long_results():
    return b"Authentication-Results: mx.test" + lines(";\r\n dkim=pass header.d=d%d.example", 6_000) + b"\r\n\r\ntext\r\n"


# ---- encodings ----

@mail
def soft_line_breaks():
    return typed("text/plain", b"=\r\n" * (MAX // 3), "quoted-printable")


@mail
def white_space_in_base64():
    return typed("text/plain", b" \t\r\n" * (MAX // 4) + b"QQ==\r\n", "base64")


@mail
def padding_in_base64():
    return typed("text/html", b"QQ==\r\n" * (MAX // 6), "base64")


@mail
def utf7_that_shifts():
    return typed("text/plain; charset=utf-7", broken(b"+AGE-+//0-" * 400_000))


@mail
def iso2022_that_shifts():
    return typed("text/plain; charset=iso-2022-jp", broken(b"\x1b$B$\"\x1b(B" * 480_000, 896), "8bit")


@mail
def text_that_grows_in_utf8():
    return typed("text/plain; charset=windows-1252", broken(b"\x80" * 3_900_000))


@mail
def text_of_marks_that_must_be_escaped():
    return typed("text/plain", broken(b"*_[]`<>&\\#" * 380_000))


@mail
def nothing_but_null():
    return typed("text/plain; charset=utf-16", base64.encodebytes(b"\0" * 3_000_000).replace(b"\n", b"\r\n"), "base64")


# ---- plain text ----

@mail
def deep_quotes():
    return typed("text/plain", (b">" * 900 + b" a\r\n") * 4000)


@mail
def quotes_that_change_with_each_line():
    return typed("text/plain", b"".join(b">" * (n % 40) + b" a\r\n" for n in range(180_000)))


@mail
def million_attributions():
    return typed("text/plain", b"On Mon, 1 Jan 2024 at 10:00, Bob <b@example.com> wrote:\r\n> x\r\n" * 60_000)


@mail
def million_headers_of_forwards():
    return typed("text/plain", b"-----Original Message-----\r\nFrom: a@example.com\r\nSent: today\r\nTo: b\r\nSubject: c\r\n\r\nx\r\n" * 40_000)


@mail
def million_addresses_in_text():
    return typed("text/plain", b"http://a.example/x(((( <http://b.example> c@d.example\r\n" * 70_000)


@mail
def lines_like_tables():
    return typed("text/plain", b"a    b    c    d    e    f    g    h    i   j\r\n" * 80_000)


@mail
def lines_like_lists():
    return typed("text/plain", b"".join(b" " * (n % 60) + b"- a\r\n" for n in range(110_000)))


@mail
def million_signatures():
    return typed("text/plain", b"-- \r\na\r\n" * 500_000)


@mail
def million_beginnings_of_files():
    return typed("text/plain", b"begin 644 a\r\n" * 300_000)


@mail
def million_files_in_text():
    return typed("text/plain", b"begin 644 a\r\n#86)C\r\n`\r\nend\r\n=ybegin line=128 size=1 name=b\r\nx\r\n=yend size=1\r\n" * 50_000)


@mail
def flowed_line():
    return typed("text/plain; format=flowed; delsp=yes", b"a \r\n" * 1_000_000)


@mail
def one_line_of_words():
    return typed("text/plain", b"a b c d e \r\n" * 330_000)


@mail
def text_of_30_mb():
    return typed("text/plain", b"All work and no play.\r\n" * (MAX // 23))


@mail
def enriched_text():
    return typed("text/enriched", broken(b"<bold><italic>x" * 260_000))


# ---- HTML ----

@mail
def million_open_tags():
    return html(b"<div>" * 1_000_000)


@mail
def million_formatting_tags():
    return html(b"<b><i><u><font color=red>" * 200_000 + b"x</b></i></u></font>" * 200_000)


@mail
def wrongly_nested_tags():
    return html(b"<a href=x><b><p><i></b></a><table><tr><td></p>" * 200_000)


@mail
def paragraphs_in_open_formatting():
    """Browsers open all of it again in each paragraph."""
    return html(b"<b class=a><i id=b><u lang=c><s><em>" * 60 + b"<p>x</p><table><td>y</table>" * 200_000)


@mail
def million_attributes():
    return html(b"<p " + b" ".join(b"a%d=%d" % (n, n) for n in range(1_000_000)) + b">x</p>")


@mail
def one_attribute_of_20_mb():
    return html(b'<p title="' + b"x" * 20_000_000 + b'">x</p>')


@mail
def one_style_of_20_mb():
    return html(b'<p style="' + b"color:red;" * 2_000_000 + b'">x</p>')


@mail
def million_rules():
    return html(b"<style>" + b"".join(b".c%d,p>a b{display:none}" % n for n in range(800_000)) + b"</style><p class=c1>x</p>")


@mail
def rules_for_many_elements():
    rules = b"".join(b".c%d{font-weight:bold}" % n for n in range(4000))
    names = b" ".join(b"c%d" % n for n in range(400))
    return html(b"<style>" + rules + b"</style>" + (b'<p class="' + names + b'">x</p>') * 5000)


@mail
def selectors_of_many_parts():
    rules = b"".join(b"div " * 200 + b"p.c%d{display:none}" % n for n in range(4000))
    return html(b"<style>" + rules + b"</style>" + b"<div>" * 190 + b"<p class=c1>x</p>" * 100_000)


@mail
def nested_tables():
    return html(b"<table><tr><td>" * 300_000 + b"x")


@mail
def wide_table():
    return html(b"<table><tr>" + b"<td>x" * 400_000 + b"</table>")


@mail
def table_of_many_cells():
    return html(b"<table>" + (b"<tr>" + b"<td>x" * 25) * 19_000 + b"</table>")


@mail
def table_that_spans():
    return html(b"<table>" + b"<tr><td colspan=1000 rowspan=65534>x<td colspan=1000>y" * 19_000 + b"</table>")


@mail
def unclosed_comments():
    return html(b"<!--<![CDATA[<!<?</" * 1_000_000)


@mail
def unclosed_scripts():
    return html(b"<script><!--<script></script" * 500_000)


@mail
def million_entities():
    return html(b"&notit&amp;&#x10ffff;&CounterClockwiseContourIntegra&" * 400_000)


@mail
def million_ends():
    return html(b"</p></br></b></table></body></html>" * 600_000)


@mail
def million_links():
    return html(b'<a href="http://a.example/%28(((">x</a>' * 240_000)


@mail
def nested_links():
    return html(b'<a href="http://a.example/"><div>' * 400_000)


@mail
def nested_lists():
    return html(b"<ul><li>x<ol start=99999999><li>y" * 400_000)


@mail
def nested_quotes_in_html():
    return html(b"<blockquote>x" * 800_000)


@mail
def html_attributions():
    return html(b"<div>On Mon, 1 Jan 2024 at 10:00, Bob &lt;b@example.com&gt; wrote:<br></div><blockquote>x</blockquote>" * 150_000)


@mail
def pictures_in_addresses():
    return html(b'<img src="data:image/png;base64,iVBORw0KGgo=">' * 400_000)


@mail
def forms_in_html():
    return html(b"<form><select>" + b"<option>x<optgroup><input value=y><textarea>z</textarea>" * 250_000)


@mail
def preformatted_lines():
    return html(b"<pre>" + b"a\t*b*\n" * 2_000_000)


# ---- files that are read ----

def calendar(body):
    return encoded("text/calendar; method=REQUEST", b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + body + b"END:VCALENDAR\r\n")


@mail
def calendar_that_repeats():
    rules = (b"FREQ=SECONDLY;COUNT=2147483647", b"FREQ=YEARLY;BYDAY=5MO;BYMONTH=2;BYMONTHDAY=30", b"FREQ=DAILY;INTERVAL=999999999;BYSETPOS=-366",
             b"FREQ=MINUTELY;BYSECOND=" + b",".join(b"%d" % n for n in range(60)) + b";UNTIL=99991231T235959Z")
    return calendar(b"".join(b"BEGIN:VEVENT\r\nDTSTART:20260101T000000Z\r\nSUMMARY:x\r\nRRULE:" + rules[n % 4] + b"\r\nEND:VEVENT\r\n"
                             for n in range(100_000)))


@mail
def calendar_of_million_dates():
    return calendar(b"BEGIN:VEVENT\r\nDTSTART:20260101T000000Z\r\n" + b"EXDATE:20260101T000000Z,20260102T000000Z\r\n" * 400_000 + b"END:VEVENT\r\n")


@mail
def calendar_of_million_people():
    return calendar(b"BEGIN:VEVENT\r\nDTSTART:20260101T000000Z\r\n" + lines("ATTENDEE;CN=\"A %d\":mailto:a@example.com\r\n", 450_000) + b"END:VEVENT\r\n")


@mail
def calendar_of_zones():
    zone = b"BEGIN:VTIMEZONE\r\nTZID:Z\r\n" + (b"BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
                                              b"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n") * 150_000 + b"END:VTIMEZONE\r\n"
    return calendar(zone + b"BEGIN:VEVENT\r\nDTSTART;TZID=Z:99990101T000000\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n")


@mail
def calendar_nested():
    return calendar(b"BEGIN:VEVENT\r\n" * 1_000_000)


@mail
def calendar_of_folds():
    return calendar(b"BEGIN:VEVENT\r\nSUMMARY:a" + b"\r\n a" * 5_000_000 + b"\r\nEND:VEVENT\r\n")


@mail
def million_cards():
    return encoded("text/vcard", b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\nTEL:1\r\nEMAIL:a@example.com\r\nEND:VCARD\r\n" * 280_000)


def tnef_attribute(level, identifier, data):
    return struct.pack("<BII", level, identifier, len(data)) + data + struct.pack("<H", sum(data) & 0xffff)


def tnef(body):
    return encoded("application/ms-tnef; name=winmail.dat", struct.pack("<IH", 0x223e9f78, 1) + body)


def compressed_rtf(packed, size):
    """LZFu; its checksum is not what matters."""
    return struct.pack("<IIII", len(packed) + 12, size, 0x75465a4c, 0) + packed


def tnef_properties(rtf):
    return struct.pack("<IHHII", 1, 0x0102, 0x1009, 1, len(rtf)) + rtf + b"\0" * (-len(rtf) % 4)


@mail
def tnef_rtf_that_claims_much():
    return tnef(tnef_attribute(1, 0x00069003, tnef_properties(compressed_rtf(b"\0" * 100, 0xfffffff0))))


@mail
def tnef_rtf_that_expands():
    packed = b"\xff" + b"\x00\x0f" * 8
    return tnef(tnef_attribute(1, 0x00069003, tnef_properties(compressed_rtf(packed * 1_000_000, 0x08000000))))


@mail
def tnef_rtf_of_groups():
    rtf = b"{\\rtf1\\ansi\\fromhtml1" + b"{\\*\\htmltag64 <b>" * 400_000
    return tnef(tnef_attribute(1, 0x00069003, tnef_properties(struct.pack("<IIII", len(rtf) + 12, len(rtf), 0x414c454d, 0) + rtf)))


@mail
def tnef_of_million_attributes():
    return tnef(tnef_attribute(2, 0x00069002, b"\0" * 14) * 900_000)


@mail
def tnef_of_million_properties():
    return tnef(tnef_attribute(1, 0x00069003, struct.pack("<I", 0xffffffff) + struct.pack("<HHI", 3, 0x1000, 1) * 2_500_000))


@mail
def tnef_in_tnef():
    inner = struct.pack("<IH", 0x223e9f78, 1)
    for _ in range(200):
        properties = struct.pack("<IHHI", 1, 0x000d, 0x3701, 1) + struct.pack("<I", len(inner) + 16) + b"\x07\x03\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"
        inner = struct.pack("<IH", 0x223e9f78, 1) + tnef_attribute(2, 0x00069002, b"\1" + b"\0" * 13) + \
            tnef_attribute(2, 0x00069005, properties + inner + b"\0" * (-len(inner) % 4))
    return tnef(inner[6:])


@mail
def signature_nested():
    return encoded("application/pkcs7-mime; smime-type=signed-data", b"\x30\x80" * 1_000_000)


@mail
def signature_in_pieces():
    octets = b"\x24\x80" + b"\x04\x01x" * 3_000_000
    oid, data = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
    return encoded("application/pkcs7-mime; smime-type=signed-data",
                   b"\x30\x80" + oid + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80" + data + b"\xa0\x80" + octets)


@mail
def report_about_a_million():
    people = lines("Final-Recipient: rfc822; a%d@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n", 400_000)
    return typed("multipart/report; report-type=delivery-status; boundary=b",
                 b"--b\r\n\r\nnot delivered\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.example\r\n\r\n" + people + b"--b--\r\n")


# ---- what members write: 256 KiB are rendered ----

FULL = 260_000


def fill(pattern):
    return pattern * (FULL // len(pattern))


PATTERNS = {
    "quotes": ">", "quotes_and_lists": "> - ", "lists": "- ", "numbered": "1. ", "brackets": "[", "pictures": "![", "links": "[a](b",
    "links_in_links": "[a](", "closed_brackets": "]", "references": "[a][b]", "stars": "*", "stars_and_words": "*a_b ", "underlines": "_a ",
    "strikes": "~~a ", "backticks": "`a``b", "angles": "<a", "comments": "<!--", "declarations": "<!A ", "instructions": "<?",
    "entities": "&amp", "escapes": "\\", "cdata": "<![CDATA[", "addresses": "http://a.b/(", "mail": "a@b.c_", "www": "www.a.", "bars": "|",
    "marks": "***a **b *c ", "fences": "```\n", "headings": "#\n", "rules": "* * *\n", "tabs": "\t", "dollars": "$a$$b", "wiki": "[[a|",
}
for _name, _pattern in PATTERNS.items():
    TEXTS[_name] = lambda pattern=_pattern: fill(pattern)


@text
def backticks_of_all_lengths():
    return " ".join("`" * (n % 700 + 1) for n in range(700))


@text
def definitions():
    return "".join(f"[a{n}]: /b\n" for n in range(11_000)) + "\n" + "".join(f"[a{n}] " for n in range(11_000))


@text
def definitions_that_grow():
    return "[x]: /" + "y" * 100_000 + "\n\n" + "[x]" * 50_000


@text
def lists_that_are_indented():
    return "".join(" " * (n % 700) + "- a\n" for n in range(700))


@text
def quotes_line_by_line():
    return "".join(">" * (n % 200) + " a\n" for n in range(2500))


@text
def table_of_columns():
    return "|" + "a|" * 60_000 + "\n|" + "-|" * 60_000 + "\n" + "|\n" * 9000


@text
def table_of_rows():
    return "|a|b|\n|-|-|\n" + "|x|\n" * 50_000


@text
def one_word():
    return "x" * FULL


@text
def text_of_5_mb():
    return "All work and no play makes it long.\n" * 140_000


# ---- a thousand files of a member's message: more are not taken, nor is a header of more than 1 MiB ----

FILES = {
    "names_of_octets": lambda: [(f"{n:03}" + "%'*\"" * 120 + ".bin", b"%d" % n) for n in range(1000)],
    "names_of_letters": lambda: [(f"{n:03}" + "ü" * 140 + ".bin", b"%d" % n) for n in range(1000)],
    "one_name": lambda: [("a.bin", b"%d" % n) for n in range(1000)],
}
