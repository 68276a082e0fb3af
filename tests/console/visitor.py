"""Somebody with a browser, as far as HTTP goes: cookies, forms, redirects; and what is on a page, by label."""

import http.client
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

from tests.daemon.atoll import Atoll

ACCOUNT, REGION = "000000000000", "us-east-1"
VOID = {"input", "meta", "link", "img", "br", "hr"}


@dataclass(eq=False)
class Element:
    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(" ".join(c if isinstance(c, str) else c.text for c in self.children).split())

    def all(self, tag: str, **attributes: str) -> list["Element"]:
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if tag in ("*", child.tag) and attributes.items() <= child.attributes.items():
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    def one(self, tag: str, **attributes: str) -> "Element":
        (found,) = self.all(tag, **attributes)
        return found


class _Tree(HTMLParser):
    def __init__(self):
        super().__init__()
        self.root = self.at = Element("", {})

    def handle_starttag(self, tag, attrs):
        made = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.children.append(made)
        if tag not in VOID:
            self.at = made

    def handle_endtag(self, tag):
        at = self.at
        while at.parent and at.tag != tag:
            at = at.parent
        self.at = at.parent or at

    def handle_data(self, data):
        self.at.children.append(data)


@dataclass
class Page:
    status: int
    headers: dict[str, str]
    html: str
    url: str

    @property
    def tree(self) -> Element:
        tree = _Tree()
        tree.feed(self.html)
        return tree.root

    @property
    def title(self) -> str:
        return self.tree.one("h1").text

    @property
    def main(self) -> Element:
        return self.tree.one("main")

    def rows(self, caption: str = "") -> list[list[str]]:
        """Return the cells of the table with this title, or of the first."""
        for table in self.main.all("table"):
            (name,) = self.tree.all("*", id=table.attributes["aria-labelledby"])
            if caption in name.text:
                return [[td.text for td in row.all("td")] for row in table.one("tbody").all("tr")]
        return []

    def labels(self) -> list[str]:
        """Return the labels of the fields in the main part."""
        return [e.text for tag in ("label", "legend") for e in self.main.all(tag)]

    def alert(self) -> str:
        return " ".join(e.text for e in self.main.all("div", role="alert"))

    def links(self) -> list[str]:
        return [a.attributes["href"] for a in self.tree.all("a")]

    def commands(self) -> str:
        (found,) = self.tree.all("pre", id="drawer-cli")
        return found.text


class Visitor:
    def __init__(self, atoll: Atoll, language: str = "en"):
        self.atoll, self.language = atoll, language
        self.cookies: dict[str, str] = {}

    def enter(self) -> "Visitor":
        """Follow the link that `atoll console` prints."""
        link = re.search(r"http://\S+", self.atoll.cli("console"))
        assert link
        parts = urlsplit(link[0])
        self.ask("GET", f"{parts.path}?{parts.query}")
        return self

    def get(self, path: str, **query: str) -> Page:
        return self.ask("GET", self.address(path, **query))

    def address(self, path: str, **query: str) -> str:
        asked = f"?{urlencode(query)}" if query else ""
        return f"/console/{ACCOUNT}/{REGION}{path}{asked}"

    def post(self, path: str, fields=(), follow: bool = True) -> Page:
        """Post a form as the page at the path has it: with the session's token."""
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        body = urlencode([("token", self.token()), *pairs])
        return self.ask("POST", self.address(path), body, follow=follow)

    def token(self) -> str:
        found = re.search(r'name="token" value="(\w+)"', self.get("/patterns").html)
        assert found
        return found[1]

    def ask(self, method: str, url: str, body: str | None = None, *, follow: bool = True, **headers: str) -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", self.atoll.port, timeout=20)
        sent = {"Accept-Language": self.language, "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            sent["Origin"] = f"http://127.0.0.1:{self.atoll.port}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, url, body, sent)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        page = Page(answer.status, told, answer.read().decode(), url)
        connection.close()
        if cookie := told.get("set-cookie"):
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        if follow and page.status in (301, 302, 303):
            return self.ask("GET", told["location"])
        return page
