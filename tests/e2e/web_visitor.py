"""Somebody who looks at the web page without JavaScript: a cookie, forms as the pages have them, and what is read there."""
import html.parser
import http.client
import urllib.parse

from procs import free_port

PASSWORD = "a long and quiet password"

VOID = {"area", "br", "hr", "img", "input", "link", "meta", "path", "rect", "line"}


class Element:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children = []

    def __getitem__(self, name):
        return self.attributes[name]

    def get(self, name, otherwise=None):
        return self.attributes.get(name, otherwise)

    @property
    def text(self):
        """As a reader sees it: in one line."""
        return " ".join("".join(self.pieces()).split())

    def pieces(self):
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child.pieces()
                yield " " if child.tag in ("td", "th", "li", "dt", "dd", "p", "small", "div") else ""

    def all(self, tag=None, **attributes):
        """Those within of this kind; cls= for a class."""
        wanted = attributes.pop("cls", None)
        for child in self.children:
            if isinstance(child, str):
                continue
            if (tag in (None, child.tag) and (wanted is None or wanted in child.get("class", "").split())
                    and all(child.get(name) == value for name, value in attributes.items())):
                yield child
            yield from child.all(tag, **({"cls": wanted} if wanted else {}), **attributes)

    def one(self, tag=None, **attributes):
        found = list(self.all(tag, **attributes))
        assert len(found) == 1, f"{len(found)} of {tag} {attributes}"
        return found[0]


class Page(html.parser.HTMLParser):
    def __init__(self, status, headers, text):
        super().__init__(convert_charrefs=True)
        self.status, self.headers, self.source = status, headers, text
        self.root = self.at = Element("", {}, None)
        self.feed(text)
        assert self.at is self.root, f"not closed: {self.at.tag}"

    def handle_starttag(self, tag, attributes):
        element = Element(tag, dict(attributes), self.at)
        self.at.children.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag, attributes):
        self.at.children.append(Element(tag, dict(attributes), self.at))

    def handle_endtag(self, tag):
        assert tag == self.at.tag, f"</{tag}> closes <{self.at.tag}>"
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.children.append(data)

    def all(self, *arguments, **attributes):
        return self.root.all(*arguments, **attributes)

    def one(self, *arguments, **attributes):
        return self.root.one(*arguments, **attributes)

    def rows(self, table):
        """The cells' texts of a table, by its id."""
        found = list(self.all("table", id=table))
        return [[cell.text for cell in row.all() if cell.tag in ("td", "th")] for body in found for row in body.one("tbody").all("tr")]

    def flash(self):
        return next((element.text for element in self.all(id="flash")), None)

    def fields(self, form):
        """What the form sends as it stands: names and values, without buttons and without what is not ticked."""
        found = self.one("form", id=form)
        fields = []
        for field in found.all():
            if field.tag == "input" and (field.get("type") not in ("checkbox", "radio") or "checked" in field.attributes):
                fields.append((field["name"], field.get("value", "")))
            elif field.tag == "textarea":
                fields.append((field["name"], "".join(field.pieces())))
            elif field.tag == "select":
                options = list(field.all("option"))
                chosen = next((option for option in options if "selected" in option.attributes), options[0])
                fields.append((field["name"], chosen["value"]))
        return fields


class Visitor:
    def __init__(self, port):
        self.port = port
        self.cookie = None

    def ask(self, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {**dict(headers), **({"Cookie": self.cookie} if self.cookie else {})})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8")
            if answer.getheader("Set-Cookie"):
                self.cookie = answer.getheader("Set-Cookie").partition(";")[0]
            return answer, text
        finally:
            connection.close()

    def get(self, path, status=200):
        answer, text = self.ask("GET", path)
        assert answer.status == status, f"{path}: {answer.status} {answer.getheader('Location')}: {text[:500]}"
        return Page(answer.status, answer.headers, text)

    def press(self, page, form, changes=()):
        """Sends a form of a page, with other values for some of its fields: the answer, and its text."""
        names = {name for name, _ in changes}
        fields = [(name, value) for name, value in page.fields(form) if name not in names] + list(changes)
        return self.ask("POST", page.one("form", id=form)["action"], urllib.parse.urlencode(fields),
                        {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{self.port}"})

    def send(self, page, form, changes=(), status=303):
        """Likewise, and goes where the answer leads."""
        answer, text = self.press(page, form, changes)
        assert answer.status == status, f"{answer.status}: {text[:2000]}"
        return self.get(answer.getheader("Location")) if status == 303 else Page(answer.status, answer.headers, text)

    def sign_in(self, name, password):
        page = self.get("/login")
        form = next(form for form in page.all("form") if form["action"].startswith("/login"))
        return self.send(page, form["id"], [("name", name), ("password", password)])


def sign_in(gateway, port, name):
    """A new account."""
    gateway.ctl("admin", "add", name, stdin=PASSWORD + "\n")
    visitor = Visitor(port)
    visitor.sign_in(name, PASSWORD)
    return visitor


def start_with_page(gateway, alice, name):
    """A gateway that holds what strangers write to Alice, a member, and somebody who has signed in at its page."""
    port = free_port()
    gateway.policy_extra = "unknown_senders = hold"
    gateway.admin_extra = f'http = "127.0.0.1:{port}"'
    gateway.start()
    gateway.introduce(alice, "alice")
    visitor = sign_in(gateway, port, name)
    visitor.gateway, visitor.alice = gateway, alice
    return visitor
