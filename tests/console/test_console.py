"""What every page has: calls as commands, live parts, tables with addresses, errors beside what was asked."""

import hashlib
import http.client
import json
import re

from tests.console.visitor import Visitor
from tests.tidy.tree import ROOT

VENDOR = ROOT / "src/atoll/console/vendor"


def test_files_of_others_are_as_they_were_published():
    for line in (VENDOR / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest


def test_a_page_shows_its_calls_as_commands(visitor):
    commands = visitor.get("/").commands()
    assert "aws ec2 describe-vpcs" in commands
    assert "aws sts get-caller-identity" in commands


def test_calls_of_pages_are_noted_as_calls(atoll, visitor):
    visitor.get("/")
    assert any(vpc["IsDefault"] for vpc in atoll.client("ec2").describe_vpcs()["Vpcs"])


def test_accounts_and_regions_are_apart(visitor):
    page = visitor.ask("GET", "/console/111111111111/eu-west-1/")
    assert page.title == "Overview"
    assert "arn:aws:iam::111111111111:root" in page.main.text
    assert page.tree.one("input", name="account").attributes["value"] == "111111111111"


def test_a_table_has_an_address_for_each_state(visitor):
    assert len(visitor.get("/patterns").rows()) == 50
    assert len(visitor.get("/patterns", page="3").rows()) == 20
    assert len(visitor.get("/patterns", rows="200").rows()) == 120
    assert visitor.get("/patterns", sort="count", order="desc").rows()[0][3] == "119"
    assert len(visitor.get("/patterns", q="failed").rows()) == 24
    assert visitor.get("/patterns", q="no such").rows() == []
    assert len(visitor.get("/patterns", page="x", rows="-1", sort="'").rows()) == 50
    (sorted_by,) = [a for a in visitor.get("/patterns", q="failed").tree.all("a") if a.text == "Count"]
    assert visitor.ask("GET", sorted_by.attributes["href"]).rows()[0][3] == "2"


def test_an_act_says_what_it_did_as_text(visitor):
    page = visitor.post("/patterns", {"name": "<script>alert(1)</script>"})
    assert "Nothing was changed. <script>alert(1)</script>" in page.main.text
    assert "<script>alert" not in page.html


def test_only_texts_about_what_was_done_are_said(visitor):
    page = visitor.get("/patterns", done="common.refused", id="x")
    assert not page.main.all("div", role="status")


def test_what_changes_is_told_at_once(atoll, visitor):
    visitor.get("/")
    connection = http.client.HTTPConnection("127.0.0.1", atoll.port, timeout=20)
    cookie = "; ".join(f"{k}={v}" for k, v in visitor.cookies.items())
    connection.request("GET", visitor.address("/live"), headers={"Cookie": cookie})
    stream = connection.getresponse()
    assert stream.getheader("content-type").startswith("text/event-stream")
    assert _event(stream) == "hello"

    atoll.client("ec2", account="111111111111").create_key_pair(KeyName="other")  # not of this account
    atoll.client("ec2").create_key_pair(KeyName="mine")

    assert _event(stream) == "KeyPair"
    assert _event(stream) == "World"
    connection.close()


def test_what_changed_before_a_page_listened_is_told_too(atoll, visitor):
    page = visitor.get("/patterns")
    atoll.client("ec2").create_key_pair(KeyName="between")

    connection = http.client.HTTPConnection("127.0.0.1", atoll.port, timeout=20)
    cookie = "; ".join(f"{k}={v}" for k, v in visitor.cookies.items())
    (live,) = (e.attributes["hx-sse:connect"] for e in page.tree.all("div") if "hx-sse:connect" in e.attributes)
    connection.request("GET", live, headers={"Cookie": cookie})
    stream = connection.getresponse()
    assert _event(stream) == "hello"
    told = set()
    while "World" not in told:
        told.add(_event(stream))
    assert "KeyPair" in told
    connection.close()


def _event(stream):
    while line := stream.readline():
        if line.startswith(b"event: "):
            return line.decode().removeprefix("event: ").strip()
    raise AssertionError("the stream ended")


def test_a_daemon_ends_though_somebody_listens(atoll, visitor):
    connection = http.client.HTTPConnection("127.0.0.1", atoll.port, timeout=20)
    cookie = "; ".join(f"{k}={v}" for k, v in visitor.cookies.items())
    connection.request("GET", visitor.address("/live"), headers={"Cookie": cookie})
    assert _event(connection.getresponse()) == "hello"
    assert atoll.stop() == 0
    atoll.up()


def test_every_page_of_the_menu_is_there_in_every_language(atoll, visitor):
    for language in ("en", "ko", "zh"):
        somebody = Visitor(atoll, language)
        somebody.cookies = dict(visitor.cookies)
        page = somebody.get("/")
        assert page.tree.one("html").attributes["lang"].startswith(language)
        for link in page.tree.one("nav", id="sidebar").all("a"):
            there = somebody.ask("GET", link.attributes["href"])
            assert there.status == 200, link.text
            assert there.title
            assert [a.text for a in there.tree.all("a", **{"aria-current": "page"})] == [link.text]


def test_every_field_has_a_label_and_every_button_a_name(visitor):
    page = visitor.get("/patterns")
    labels = {label.attributes.get("for") for label in page.tree.all("label")}
    for tag in ("input", "select", "textarea"):
        for field in page.tree.all(tag):
            inside = any(field in label.all(tag) for label in page.tree.all("label"))
            assert inside or field.attributes.get("type") == "hidden" or field.attributes.get("id") in labels
    assert all(b.text or b.attributes.get("aria-label") for b in page.tree.all("button"))


def test_the_config_of_htmx_is_json(visitor):
    json.loads(re.search(r"name=\"htmx-config\" content='(.*?)'", visitor.get("/").html)[1])
