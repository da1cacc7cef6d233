"""The mails of tests/corpora/out as other programs read them: Python's parser, Perl's MIME-tools, an HTML5 parser."""
import base64
import email
import email.policy
import glob
import hashlib
import json
import os
import re
import subprocess

import html5lib
import pytest

from procs import DEV, ROOT

CORPUS = os.path.join(ROOT, "tests", "corpora", "out")
NAMES = sorted(os.path.basename(path)[:-len(".body")] for path in glob.glob(os.path.join(CORPUS, "*.body")))
ELEMENTS = set("html head meta body p br hr ul ol li pre code em strong s a table tbody tr th td blockquote img h1 h2 h3 h4 h5 h6".split())
ATTRIBUTES = {"a": {"href"}, "img": {"src", "alt", "style"}, "ol": {"start", "dir"}, "meta": {"charset", "name", "content"},
              "table": {"border", "cellpadding", "style", "dir"}, "th": {"align", "dir"}, "td": {"align", "dir"},
              "blockquote": {"style", "dir", "type"}}
READ_WITH_PERL = r"""
use MIME::Parser; use Digest::SHA qw(sha256_hex); use Encode;
my $parser = MIME::Parser->new; $parser->output_to_core(1); $parser->extract_nested_messages(0);
binmode STDOUT, ':utf8';
sub walk { my $part = shift; my @inner = $part->parts; if (@inner) { walk($_) for @inner; return; }
  my $name = $part->head->recommended_filename; $name = decode_utf8($name) if defined $name && !utf8::is_utf8($name);
  my $body = $part->bodyhandle ? $part->bodyhandle->as_string : '';
  print join("\t", $part->mime_type, $name // '', sha256_hex($body)), "\n"; }
my $mail = $parser->parse(\*STDIN); die $parser->last_error if $parser->last_error; walk($mail);
"""


def attachments_of(expected):
    """Name with prefix and bytes of each, as the corpus says them."""
    for given in expected["attachments"]:
        if isinstance(given, str):
            yield given, given.encode()
        else:
            yield given["name"], base64.b64decode(given["base64"]) if "base64" in given else given.get("text", given["name"]).encode()


@pytest.fixture(scope="module", name="mails")
def write_mails(tmp_path_factory):
    """Each file of the corpus as a mail: its bytes and what its .expect says."""
    mails = {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp("mail")
        with open(os.path.join(CORPUS, name + ".expect"), encoding="utf-8") as file:
            expected = json.load(file)
        given = []
        for number, (attached, content) in enumerate(attachments_of(expected)):
            path = folder / str(number)
            path.write_bytes(content)
            if "=" in attached:   # the tool takes NAME=FILE
                attached = None
            given.append(f"{attached}={path}")
        if not any(one.startswith("None=") for one in given):
            subprocess.run([os.path.join(DEV, "convert_show"), "out", os.path.join(CORPUS, name + ".body"), folder, *given],
                           check=True, stdout=subprocess.DEVNULL)
            mails[name] = ((folder / "mail.eml").read_bytes(), expected)
    assert len(mails) >= len(NAMES) - 1
    return mails


def leaves(message):
    """The parts that hold no others; an attached message is one."""
    if message.get_content_maintype() != "multipart":
        return [message]
    return [leaf for part in message.get_payload() for leaf in leaves(part)]


def content_of(part):
    if part.get_content_type() == "message/rfc822":
        return part.get_payload(0).as_bytes(policy=email.policy.SMTP)
    return part.get_payload(decode=True)


def read(mail):
    message = email.message_from_bytes(mail, policy=email.policy.default)
    for part in message.walk():
        assert not part.defects, part.defects
    return message


def test_files_arrive(mails):
    """Every attachment is there once, under a name that means the same, with its bytes."""
    for name, (mail, expected) in mails.items():
        message = read(mail)
        files = [part for part in leaves(message) if part.get_filename()]
        wanted = list(attachments_of(expected))
        shown = [part for part in files if part.get_content_disposition() == "inline"]
        assert len(files) == len(wanted), name
        assert sorted(content_of(part) for part in files) == sorted(content for _, content in wanted), name
        stems = sorted(re.sub(r'[/\\:*?"<>|]', "_", wanted_name[2:]).lower() for wanted_name, _ in wanted)
        arrived = sorted(re.sub(r" \(\d+\)(?=\.|$)", "", part.get_filename()).removesuffix(".json").lower() for part in files)
        if not any("\\" in one or "." not in one for one in stems):
            assert arrived == [stem.removesuffix(".json") for stem in stems], name
        for part in shown:
            assert part.get_content_maintype() == "image" and part["Content-ID"], name


def test_perl_reads_the_same(mails):
    """Structure and names are those that Python sees, and so are the bytes of files."""
    for name, (mail, _) in mails.items():
        result = subprocess.run(["perl", "-e", READ_WITH_PERL], input=mail, capture_output=True, check=True)
        theirs = [line.split("\t") for line in result.stdout.decode().splitlines()]
        ours = [[part.get_content_type(), part.get_filename() or "", hashlib.sha256(content_of(part)).hexdigest()]
                for part in leaves(read(mail))]
        for their, our in zip(theirs, ours):
            if not our[1] or our[0] == "message/rfc822":   # of text it has the line ends of this machine
                their[2] = our[2]
        assert theirs == ours, name


def test_old_names(mails):
    """What reads no RFC 2231 finds the name in Content-Type, as encoded words."""
    for name, (mail, _) in mails.items():
        for part in leaves(email.message_from_bytes(mail)):
            if part.get_filename():
                old = email.header.make_header(email.header.decode_header(re.sub(r"\r?\n ", " ", part.get_param("name"))))
                assert str(old) == email.utils.collapse_rfc2231_value(part.get_filename()), name


def test_html_is_sound(mails):
    """No error that HTML5 knows, only what mail programs show, and nothing that is loaded from elsewhere."""
    for name, (mail, _) in mails.items():
        message = read(mail)
        cids = {part["Content-ID"].strip("<>") for part in leaves(message) if part["Content-ID"]}
        used = set()
        for part in leaves(message):
            if part.get_content_type() != "text/html" or part.get_filename():
                continue
            document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(part.get_content())
            for element in document.iter():
                assert element.tag in ELEMENTS, f"{name}: {element.tag}"
                assert set(element.keys()) <= ATTRIBUTES.get(element.tag, {"style", "dir"}), f"{name}: {element.tag} {element.attrib}"
                assert "url" not in element.get("style", "") and "@import" not in element.get("style", ""), name
                if element.tag == "img":
                    assert element.get("src").startswith("cid:") and element.get("src")[4:] in cids, name
                    used.add(element.get("src")[4:])
                if element.tag == "a":
                    assert re.match("(https?://|mailto:)", element.get("href"), re.I), name
        assert used == cids, name


def unflow(text):
    """RFC 3676 section 4: the paragraphs, each with its depth."""
    paragraphs = []
    goes_on = False
    for line in text.split("\r\n"):
        depth = len(line) - len(line.lstrip(">"))
        line = line[depth:]
        line = line[1:] if line.startswith(" ") else line
        if goes_on and paragraphs[-1][0] == depth and line != "-- ":
            paragraphs[-1][1] += line
        else:
            paragraphs.append([depth, line])
        goes_on = line.endswith(" ") and line != "-- "
    return paragraphs


def test_text_flows(mails):
    """Lines are short where words allow it; joined again they have no blank at their end."""
    for name, (mail, _) in mails.items():
        part = leaves(read(mail))[0]
        assert part.get_content_type() == "text/plain" and part.get_param("format") == "flowed", name
        assert part.get_param("delsp") is None, name
        text = part.get_payload(decode=True).decode()
        for line in text.split("\r\n"):
            assert len(line) <= 78 or not line.endswith(" ") or " " not in line.lstrip("> ")[:-1], f"{name}: {line!r}"
        for _, paragraph in unflow(text):
            assert paragraph == "-- " or not paragraph.endswith(" "), f"{name}: {paragraph!r}"
