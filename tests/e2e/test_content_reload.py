"""The section `content`: which form of a mail is shown, and where what it quotes stands, from a reload on."""
import pytest

from mail import make_mail, send

BELOW = """\
On Mon, Nov 3, 2025 at 10:12 AM Alice Member <alice@silo.example.org> wrote:
> Is there a spade?

In the shed.
"""
ANSWER, QUOTE = "In the shed.", "> Is there a spade?"
HTML = "<p>In the <b>shed</b>, the <b>blue</b> one.</p>"


def configure(gateway, **keys):
    gateway.extra = "content {\n" + "".join(f"  {key} = {value}\n" for key, value in keys.items()) + "}\n" if keys else ""
    gateway.write_config()
    assert "content" in gateway.ctl("reload")


def receive(gateway, alice, subject, mail):
    send(gateway.smtp_port, mail)
    return alice.receive_mail(subject)["body"]


def test_quotes_are_folded_or_kept(gateway, bob_to_alice):
    for number, (keys, first) in enumerate([({}, ANSWER), ({"quote": "keep"}, QUOTE), ({"quote": "fold"}, ANSWER)]):
        configure(gateway, **keys)
        body = receive(gateway, bob_to_alice, f"Spade {number}", make_mail(f"Spade {number}", BELOW))
        assert body.count(ANSWER) == body.count(QUOTE) == body.count("wrote:") == 1
        assert (body.index(ANSWER) < body.index(QUOTE)) == (first == ANSWER), keys


def test_text_or_html_is_shown(gateway, bob_to_alice):
    for number, (keys, shown) in enumerate([({"body": "html"}, "In the **shed**"), ({"body": "text"}, "In the shed, plainly"),
                                            ({"body": "html"}, "In the **shed**")]):
        configure(gateway, **keys)
        mail = make_mail(f"Spade {number}", "In the shed, plainly.\n")
        mail.add_alternative(HTML, subtype="html")
        assert shown in receive(gateway, bob_to_alice, f"Spade {number}", mail)


@pytest.mark.parametrize("line", ["quote = drop", "body = pdf", "answered = all"])
def test_a_mistake_changes_nothing(gateway, bob_to_alice, line):
    configure(gateway, quote="keep")
    with open(gateway.config, "a", encoding="utf-8") as file:
        file.write("content { " + line + " }\n")
    refused = gateway.ctl("reload", expect=1)
    assert "expected" in refused
    body = receive(gateway, bob_to_alice, "Spade", make_mail("Spade", BELOW))
    assert body.index(QUOTE) < body.index(ANSWER)
