"""DMARC (smtp/dmarc.h) and the public suffix list judged by programs that are not ours: python3-authheaders, on python3-publicsuffix2, answers the
same questions. Where a domain publishes nothing we can make out, they say "none", and we go by relaxed or strict alignment alone."""
import os
import random
import re
import subprocess

import authheaders
import authheaders.dmarc_lookup
from authheaders import DKIMAuthenticationResult, SPFAuthenticationResult
from publicsuffix2 import PublicSuffixList

from procs import DEV

LIST = authheaders.dmarc_lookup.get_suffix_list_file_name()
DOMAINS = ["example.com", "mail.example.com", "a.b.example.com", "example.co.uk", "mail.example.co.uk", "other.co.uk", "example.github.io",
           "other.github.io", "x.y.kawasaki.jp", "city.kawasaki.jp", "www.city.kawasaki.jp", "evil.example.net"]   # all of suffixes that are listed
TAGS = ["sp=none", "sp=reject", "adkim=s", "adkim=r", "aspf=s", "aspf=r", "pct=50", "rua=mailto:a@example.com", "fo=1", "x=y"]


def load_list():
    with open(LIST, encoding="utf-8") as file:
        return PublicSuffixList(file)


def ask(lines):
    """The answers of dmarc_check, in order."""
    result = subprocess.run([os.path.join(DEV, "dmarc_check")], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return [line.split("\t") for line in result.stdout.splitlines()]


def make_record(rng):
    tags = rng.sample(TAGS, rng.randrange(4))
    names = [tag.split("=")[0] for tag in tags]
    tags = [tag for at, tag in enumerate(tags) if names.index(names[at]) == at]
    return rng.choice(["; ", ";", " ; "]).join(["v=DMARC1", "p=" + rng.choice(["none", "quarantine", "reject"]), *tags]) + rng.choice(["", ";"])


def near(rng, domain):
    """Itself, or one that may be of the same organisation."""
    return rng.choice([domain, domain, "x." + domain, domain.partition(".")[2], rng.choice(DOMAINS)])


def test_other_programs_agree(monkeypatch):
    seed = int(os.environ.get("POSTERN_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"POSTERN_SEED={seed}")
    rng = random.Random(seed)
    suffixes = load_list()
    monkeypatch.setattr(authheaders.dmarc_lookup, "get_org_domain", suffixes.get_public_suffix)
    monkeypatch.setattr(authheaders, "get_org_domain", suffixes.get_public_suffix)
    lines, cases = [], []
    for _ in range(3000):
        author = rng.choice(DOMAINS)
        spf, dkim = (rng.choice(["pass", "pass", "fail"]), near(rng, author)), (rng.choice(["pass", "fail"]), near(rng, author))
        records = {domain: make_record(rng) for domain in rng.sample(DOMAINS, rng.randrange(len(DOMAINS)))}
        lines += ["=="] + [f"_dmarc.{domain} TXT {record}" for domain, record in records.items()]
        lines.append(f"? {author} {spf[0]} {spf[1]} {dkim[0]} {dkim[1]}")
        theirs = authheaders.dmarc_per_from(author, SPFAuthenticationResult(result=spf[0], smtp_mailfrom="a@" + spf[1]),
                                            DKIMAuthenticationResult(result=dkim[0], header_d=dkim[1]), dnsfunc=lambda name, known=records: known.get(name[7:]))
        organisation = suffixes.get_public_suffix(author)
        if theirs[0] == "none":
            passes = any(result == "pass" and suffixes.get_public_suffix(domain) == organisation for result, domain in (spf, dkim))
            expected = ["pass" if passes else "fail", "none", "-"]
        else:
            expected = [theirs[0], "record", theirs[3]]
            if author in records:   # they go by sp= even where the record is the author's own (RFC 7489 section 6.3)
                expected[2] = re.search(r"p=(\w+)", records[author]).group(1)
        cases.append((author, spf, dkim, records, expected))
    for case, ours in zip(cases, ask(lines), strict=True):
        assert ours[:3] == case[-1], f"{case}: {ours}"
    results = {case[-1][0] + case[-1][1] for case in cases}
    assert results == {"passrecord", "failrecord", "passnone", "failnone"}, "the cases are too much alike"


def test_the_list_of_public_suffixes():
    """What some of its rules make of names at, below and far below them."""
    with open(LIST, encoding="utf-8") as file:
        rules = [line.split()[0] for line in file if line.strip() and not line.startswith("//")]
    unusual = [rule for rule in rules if rule[0] in "*!"]
    suffixes = load_list()
    names = []
    for rule in unusual + random.sample(rules, 1500):
        rule = rule.lstrip("*!.")
        try:
            ascii_rule = rule.encode("idna").decode() if not rule.isascii() else rule
        except UnicodeError:   # of IDNA2008, which Python does not know
            continue
        names += [ascii_rule, "example." + ascii_rule, "a.b.example." + ascii_rule]
    theirs = [suffixes.get_public_suffix(name) or name for name in names]
    ours = [answer[4] for answer in ask([f"? {name} none - none -" for name in names])]
    assert [pair for pair in zip(names, theirs, ours, strict=True) if pair[1] != pair[2]] == []
