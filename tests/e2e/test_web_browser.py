"""The web page as people see it: in a real browser, with one gateway for all of this file."""
import shutil
import tempfile

import pytest

from browser import DESKTOP, PHONE, Browser, as_json, steadily
from mail import ALICE, BOB, make_mail
from postern import GATEWAY_ALIAS, Gateway, Member, Silo, close_quietly
from procs import DEV, free_port, sanitizer_reports, wait_until
from reports import send

pytestmark = pytest.mark.one_worker   # one browser is enough for two processors

ACCOUNT, PASSWORD = "carol", "correct horse battery"
GROUP = "Sales Team"

# What strangers write, each in its place. Whatever of it became a script, an element or an address would set this or be found.
CANARY = "window.canary = 1"
SCRIPT = f"<script>{CANARY}</script><img src=x onerror=\"{CANARY}\">"
BREAK = f"\"><svg onload='{CANARY}'> &quot;&lt; ' javascript:{CANARY}"
TURNED = "\u202egnp.exe\u2066\u200b"   # reads "exe.png" for those who believe their eyes
HOSTILE_NAME = f"<b onmouseover=\"{CANARY}\">Eve</b>"
HOSTILE_ALIAS = "<i onclick='window.canary=1'>Mallory</i>"


class Scene:
    """One silo, gateway, member and browser."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-e2e-")
        self.silo = Silo(self.folder)
        self.gateway = Gateway(self.folder, self.silo.port, DEV)
        self.port = free_port()
        self.gateway.policy_extra = "unknown_senders = hold"
        self.gateway.admin_extra = f'http = "127.0.0.1:{self.port}"'
        self.gateway.log_level = "info"
        self.browser = self.alice = None
        self.strangers = 0

    def start(self):
        self.silo.start()
        self.gateway.start()
        self.alice = Member(self.folder, self.silo, "Alice Member")
        self.gateway.introduce(self.alice, "alice")
        self.gateway.ctl("admin", "add", ACCOUNT, stdin=PASSWORD + "\n")
        self.browser = Browser(self.folder)
        self.sign_in()

    def stop(self):
        self.gateway.stop()
        reports = sanitizer_reports(self.folder)
        assert not reports, "a sanitizer found something:\n" + "\n".join(reports)

    def close(self):
        if self.browser:
            self.browser.close()
        close_quietly(self.gateway, self.silo)
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def open(self, path):
        self.browser.open(self.address(path))

    def sign_in(self):
        self.open("/")
        self.browser.fill("input[autocomplete=username]", ACCOUNT)
        self.browser.fill("input[type=password]", PASSWORD)
        self.browser.click(self.browser.find("main form button"))

    def look_again(self):
        """As the page does by itself every few seconds, and when the network is back."""
        self.browser.script("window.dispatchEvent(new Event('online'))")

    def stranger(self):
        """Somebody new."""
        self.strangers += 1
        return f"stranger{self.strangers}@example{self.strangers}.com"

    def hold(self, sender, subject="Hello", text="Hello Alice\n", message=None):
        """Sends a mail that is held; its entry's id."""
        message = message or make_mail(subject, text, sender=sender)
        answer = send(self.gateway.smtp_port, message, sender=sender)
        assert answer.startswith("250 2.6.0 held for approval as in"), answer
        return answer.split()[-1]

    def mapping(self, address):
        found = self.gateway.ctl_json("mapping", "list", "--address", address)["mappings"]
        return found[0] if found else None

    def state(self, address):
        return (self.mapping(address) or {}).get("state")

    def expect_clean(self, *allowed):
        """Nothing was complained about, but what is allowed, and no script of a stranger has run."""
        complaints = [line for line in self.browser.complaints() if not any(word in line for word in allowed)]
        assert not complaints, as_json(complaints)
        assert self.browser.script("return window.canary === undefined")


@pytest.fixture(scope="module")
def whole_scene():
    scene = Scene()
    try:
        scene.start()
        yield scene
        scene.stop()
    finally:
        scene.close()


@pytest.fixture
def scene(whole_scene, request):
    """Ends as it has begun: a wide window, light, with scripts."""
    yield whole_scene
    browser = whole_scene.browser
    if getattr(request.node, "failed_in_call", True):
        print(whole_scene.gateway.read_log()[-4000:])
        print(browser.driver.current_url, browser.text()[:3000])
        browser.screenshot("failed-" + request.node.name)
    browser.scripts(True)
    browser.size(DESKTOP)
    browser.dark(False)


def approve_button(browser, address):
    """The button of a row, found as somebody does who does not see the page."""
    return steadily(lambda: next(one for one in browser.find_all("button")
                                 if one.accessible_name.startswith("Approve request") and address in one.accessible_name))


def rows_with(browser, text):
    return steadily(lambda: [row for row in browser.find_all("tbody tr") if text in row.text])


def test_requests_show_by_themselves_and_a_click_lets_the_mail_in(scene):
    """Of a stranger who has written, whose mail arrives then, and of one whom a member has asked for, who may write from then on."""
    browser, stranger, invited = scene.browser, scene.stranger(), scene.stranger()
    scene.open("/requests")
    page = browser.find("html")
    scene.hold(stranger, "Let me in please")
    scene.alice.ping(GATEWAY_ALIAS, f"invite {invited}")
    wait_until("the requests show without a new page", lambda: rows_with(browser, stranger) and rows_with(browser, invited))
    assert browser.find("html") == page and "Let me in please" in browser.text("main")
    browser.click(lambda: approve_button(browser, stranger))
    assert "approved" in browser.flash().lower()
    scene.alice.receive_mail("Let me in please")
    browser.click(lambda: approve_button(browser, invited))
    assert [scene.state(sender) for sender in (stranger, invited)] == ["approved", "approved"]
    send(scene.gateway.smtp_port, make_mail("Thank you for asking me", sender=invited), sender=invited)
    scene.alice.receive_mail("Thank you for asking me")
    scene.open("/requests")
    assert not browser.find_all("#flash"), "it is said once"
    decided = scene.gateway.ctl_json("audit", "list", "--object", f"mapping {scene.mapping(stranger)['id']}")["audit"][-1]
    assert (decided["action"], decided["channel"], decided["actor"]) == ("mapping.approve", "web", ACCOUNT)
    scene.expect_clean()


def test_several_are_denied_at_once_for_one_reason(scene):
    browser, senders = scene.browser, [scene.stranger() for _ in range(3)]
    for sender in senders:
        scene.hold(sender)
    scene.open("/requests")
    for sender in senders[:2]:
        steadily(lambda row=sender: rows_with(browser, row)[0].find_element("css selector", "input[type=checkbox]").click())
    senders.append(scene.stranger())
    scene.hold(senders[-1])
    scene.look_again()   # what is chosen stays so, and nothing else is
    wait_until("the new one shows", lambda: rows_with(browser, senders[-1]))
    assert browser.script("return document.querySelectorAll('input.choose:checked').length") == 2
    browser.fill("#reason", "not a partner")
    browser.click(lambda: browser.button("Deny chosen"))
    assert [scene.state(sender) for sender in senders] == ["denied", "denied", "requested", "requested"]
    for sender in senders[:2]:
        rows = scene.gateway.ctl_json("audit", "list", "--object", f"mapping {scene.mapping(sender)['id']}")["audit"]
        assert (rows[-1]["action"], rows[-1]["reason"]) == ("mapping.deny", "not a partner")
    assert not rows_with(browser, senders[0]) and rows_with(browser, senders[2])
    scene.expect_clean()


def test_a_form_with_another_token_changes_nothing(scene):
    browser, sender = scene.browser, scene.stranger()
    entry = scene.hold(sender)
    for path, button in (("/requests", lambda: approve_button(browser, sender)), (f"/held/{entry}", lambda: browser.button("Release"))):
        scene.open(path)
        assert browser.script("const all = document.querySelectorAll('main input[name=csrf]');"
                              "all.forEach((one) => { one.value = one.value.replace(/.$/, (c) => c === 'A' ? 'B' : 'A'); }); return all.length") > 0
        browser.click(button())
        assert "Forbidden" in browser.text() or "refused" in browser.text().lower() or "form" in browser.text().lower()
        scene.expect_clean("403")
    assert scene.state(sender) == "requested"
    assert [row["id"] for row in scene.gateway.ctl_json("held", "list")["held"] if row["from"] == sender] == [entry]


def test_held_mail_is_seen_only_on_purpose_then_dropped(scene):
    browser, sender = scene.browser, scene.stranger()
    message = make_mail("About the plan", f"The secret is {SCRIPT}\n", sender=sender)
    message.add_attachment(b"%PDF-1.4 " + bytes(2000), maintype="application", subtype="pdf", filename="plan.pdf")
    entry = scene.hold(sender, message=message)
    scene.open("/held")
    assert "About the plan" in steadily(lambda: rows_with(browser, sender)[0].text)
    browser.click(browser.find(f"a[href='/held/{entry}']"))
    assert "The secret is" not in browser.text() and sender in browser.text("#facts")
    browser.click(lambda: browser.button("Show the content"))
    assert SCRIPT in browser.text("#content-text").replace("\\", "") and "plan.pdf" in browser.text("#attachments")
    assert not browser.find_all("#content-text *")
    looks = scene.gateway.ctl_json("audit", "list", "--object", entry)["audit"]
    assert [(row["action"], row["actor"]) for row in looks] == [("held.read", ACCOUNT)]
    browser.find("#reason").send_keys("not wanted\n")   # Enter presses no button that does anything
    wait_until("the next page", lambda: browser.find_all("#flash"))
    assert "Nothing was done" in browser.flash()
    browser.find("#reason").send_keys("not wanted")
    browser.click(lambda: browser.button("Drop"))
    assert "1 dropped" in browser.flash() and not rows_with(browser, sender)
    scene.open(f"/message?id={entry}")
    assert "An administrator has looked at what it says" in browser.text("#story") and "not wanted" in browser.text("#story")
    scene.expect_clean()


def test_without_scripts_reading_and_deciding_work(scene):
    browser, sender = scene.browser, scene.stranger()
    entry = scene.hold(sender, "Without scripts")
    browser.scripts(False)
    scene.open("/requests")
    assert "Without scripts" in steadily(lambda: rows_with(browser, sender)[0].text)
    assert not browser.find_all("input.choose-all"), "scripts are off"
    scene.open(f"/held/{entry}")
    assert "Without scripts" in browser.text("#facts")
    scene.open("/requests")
    browser.click(lambda: approve_button(browser, sender))
    assert "approved" in browser.flash().lower()
    scene.alice.receive_mail("Without scripts")
    scene.open("/queue")
    browser.click(lambda: browser.button("Try all again now"))
    assert "are tried again now" in browser.flash()


def test_the_keyboard_is_enough(scene):
    browser, sender = scene.browser, scene.stranger()
    scene.hold(sender, "By keyboard")
    scene.open("/requests")
    first = browser.tab_to(lambda one: True)
    assert first.text == "Skip to the content" and first.is_displayed()
    button = browser.tab_to(lambda one: one.tag_name == "button" and sender in one.accessible_name and "Approve" in one.accessible_name)
    outline = browser.script("const s = getComputedStyle(arguments[0]); return [s.outlineStyle, parseFloat(s.outlineWidth)]", button)
    assert outline[0] != "none" and outline[1] >= 2, f"the focus is not seen: {outline}"
    page = browser.find("html")
    browser.press("\n")
    browser.wait_for_page(page)
    assert "approved" in browser.flash().lower()
    scene.alice.receive_mail("By keyboard")


def test_what_can_not_be_undone_is_asked_first(scene):
    browser, gateway = scene.browser, scene.gateway
    gateway.ctl("member", "add", "Zoe Short", "--address", "zoe")
    scene.open("/members/Zoe%20Short")
    browser.find("#remove-sure").click()
    steadily(lambda: browser.button("Remove this member").click())
    question = browser.driver.switch_to.alert
    assert "Remove Zoe Short?" in question.text
    question.dismiss()
    assert gateway.ctl_json("member", "show", "Zoe Short")["state"] == "new"
    page = browser.find("html")
    steadily(lambda: browser.button("Remove this member").click())
    browser.driver.switch_to.alert.accept()
    browser.wait_for_page(page)
    assert "1 member was removed" in browser.flash()
    scene.expect_clean()


def test_who_is_signed_out_is_told_and_sees_no_page(scene):
    browser = scene.browser
    scene.open("/held")
    browser.driver.delete_all_cookies()
    scene.look_again()
    wait_until("it says so", lambda: "You are signed out" in browser.text("#connection"))
    scene.open("/audit")
    assert browser.title() == "Sign in" and not browser.find_all("nav")
    scene.sign_in()
    assert browser.title() in ("Overview", "Audit")


def hostile(scene):
    """Everything that strangers and members may write, in all places where it is shown."""
    gateway, sender = scene.gateway, "eve.o'hara+\"@\"{x}".split("@", maxsplit=1)[0].replace("\"", "") + "@evil.example"
    message = make_mail(f"{SCRIPT} {BREAK} {TURNED}", f"{SCRIPT}\n{BREAK}\n{TURNED}\n", sender=sender)
    message.replace_header("From", f'"{HOSTILE_NAME}" <{sender}>'.replace('window.canary = 1"', "window.canary = 1'").replace('onmouseover="', "onmouseover='"))
    message.add_attachment(b"MZ", maintype="application", subtype="octet-stream", filename=f"<script>{CANARY}<script>.exe")
    entry = scene.hold(sender, message=message)
    gateway.ctl("member", "add", HOSTILE_ALIAS, "--address", "mallory")
    mallory = gateway.ctl_json("mapping", "add", BOB, HOSTILE_ALIAS, "--note", SCRIPT, "--reason", BREAK)["id"]
    gateway.ctl("mapping", "suspend", str(mallory), "--reason", f"{SCRIPT} {TURNED}")
    return entry, str(mallory)


def test_what_strangers_write_stays_text(scene):
    browser = scene.browser
    entry, mapping = hostile(scene)
    pages = ["/", "/requests", "/held", f"/held/{entry}", "/mappings", f"/mappings/{mapping}", "/members",
             "/members/%3Ci%20onclick%3D%27window.canary%3D1%27%3EMallory%3C%2Fi%3E", f"/message?id={entry}", "/audit",
             "/message?id=" + "%3Cscript%3Ewindow.canary%3D1%3C%2Fscript%3E", "/queue?from=%22%3E%3Cscript%3Ewindow.canary%3D1%3C%2Fscript%3E"]
    shown = ""
    for path in pages:
        scene.open(path)
        expect_inert(scene, path)
        shown += browser.script("return document.documentElement.textContent + Array.from(document.querySelectorAll('input'), (i) => i.value).join(' ')")
    scene.open(f"/held/{entry}")
    browser.click(lambda: browser.button("Show the content"))
    expect_inert(scene, "the content")
    assert "_script_window.canary" in browser.text("#attachments") and HOSTILE_ALIAS in shown and "onerror=" in shown
    assert "\u202e" not in shown and "\ufffdgnp.exe" in shown, "what turns the direction is seen"
    # The policy is in force: even a script that got into the page would not run.
    browser.script("const s = document.createElement('script'); s.textContent = arguments[0]; document.body.append(s);", CANARY)
    assert any("Content Security Policy" in line for line in browser.complaints())
    scene.expect_clean()


def expect_inert(scene, where):
    scene.expect_clean("404", "400")
    made = scene.browser.script(
        "return Array.from(document.querySelectorAll('*')).filter((one) => ['IMG', 'IFRAME', 'OBJECT', 'B', 'I', 'STYLE'].includes(one.tagName) ||"
        " (one.tagName === 'SCRIPT' && !one.src.startsWith(location.origin + '/static/')) ||"
        " Array.from(one.attributes).some((a) => a.name.startsWith('on') || a.name === 'style' || /^\\s*javascript:/i.test(a.value) &&"
        "   ['href', 'action', 'src', 'formaction'].includes(a.name))).map((one) => one.outerHTML.slice(0, 200))")
    assert not made, f"{where}: {as_json(made)}"


def populate(scene):
    """So that every page has something to show: people, a group, mail in every state."""
    gateway, alice = scene.gateway, scene.alice
    gateway.ctl("member", "add", "Dave Distant", "--address", "dave")
    alice.tmtp("group", "--account", alice.account, "invite", GROUP, GATEWAY_ALIAS)
    wait_until("the gateway has joined", lambda: any(group["gid"] == GROUP for group in gateway.ctl_json("group", "list")["groups"]))
    sender = "anna.lindqvist@partner.example"
    gateway.ctl("mapping", "add", sender, "Alice Member", "--daily", "50", "--attachments", "pdf,image/*", "--note", "Our counsel in Stockholm")
    gateway.ctl("mapping", "add", "*@supplier.example", "Dave Distant", "--direction", "in")
    entry = send_in(scene, sender, "Minutes of Tuesday")
    scene.alice.receive_mail("Minutes of Tuesday")
    held = scene.hold("grace@newcomer.example", "A first letter", "Dear Alice,\n\nmay I write to you?\n\n- Grace\n")
    scene.hold("henry@newcomer.example", "Offer for the new roof")
    return entry, held, str(scene.mapping(sender)["id"])


def fill_queue(scene):
    """The silo is away: what comes in waits."""
    scene.silo.stop()
    sender = "anna.lindqvist@partner.example"
    entries = [send_in(scene, sender, subject) for subject in ("The contract, third draft", "Lunch on Friday", "The plan of the garden")]
    scene.gateway.ctl("queue", "hold", entries[0], "--reason", "asked by Alice")
    return entries[0]


def send_in(scene, sender, subject):
    """The entry of a mail that is let in."""
    answer = send(scene.gateway.smtp_port, make_mail(subject, sender=sender, recipient=ALICE), sender=sender)
    return next(word for word in answer.replace(".", " ").split() if word.startswith("in") and word[2:].isdigit())


def test_every_page_can_be_used_by_everybody(scene):
    """Names, headings, contrast, width: light, dark, and on a phone. The pictures are for people to look at."""
    browser = scene.browser
    entry, held, mapping = populate(scene)
    pages = [("overview", "/"), ("requests", "/requests"), ("held-mail", "/held"), ("held-mail-one", f"/held/{held}"), ("mappings", "/mappings"),
             ("mapping", f"/mappings/{mapping}"), ("members", "/members"), ("member", "/members/Alice%20Member"), ("group", "/groups/Sales%20Team"),
             ("message-search", "/message"), ("message", f"/message?id={entry}"), ("audit", "/audit"), ("account", "/account")]
    faults = {}
    for name, path in pages:
        scene.open(path)
        look_at(browser, name, faults)
    scene.open(f"/held/{held}")
    browser.click(lambda: browser.button("Show the content"))
    look_at(browser, "held-mail-content", faults)
    waiting = fill_queue(scene)
    for name, path in (("queue", "/queue"), ("message-held", f"/message?id={waiting}"), ("overview-silo-away", "/")):
        scene.open(path)
        look_at(browser, name, faults)
    browser.click(lambda: browser.button("Sign out"))
    scene.open("/login")
    look_at(browser, "sign-in", faults)
    scene.expect_clean()
    assert not faults, as_json(faults)
    scene.sign_in()
    assert browser.title() == "Overview"


def look_at(browser, name, faults):
    for how, size, dark in (("desktop-light", DESKTOP, False), ("desktop-dark", DESKTOP, True), ("phone", PHONE, False)):
        browser.size(size)
        browser.dark(dark)
        found = browser.faults()
        if found:
            faults[f"{name}, {how}"] = found
        browser.screenshot(f"{name}-{how}")
    browser.size(DESKTOP)
    browser.dark(False)
