"""Who gets in, and what a page of somebody else can do: nothing."""

import re

import pytest

from tests.console.visitor import Visitor

FORM = "name=x"


def foreign(visitor):
    return f"http://127.0.0.1:{visitor.atoll.port + 1}"


def test_without_a_session_there_is_only_the_door(atoll):
    stranger = Visitor(atoll)

    for path in ("", "/000000000000/us-east-1/", "/000000000000/us-east-1/live", "/nowhere"):
        page = stranger.ask("GET", f"/console{path}")
        assert page.status == 401
        assert "atoll console" in page.main.text
        assert not page.tree.all("form")


def test_a_link_is_good_once(atoll):
    first, second = Visitor(atoll), Visitor(atoll)
    link = re.search(r"/console/\S+", atoll.cli("console"))[0]

    assert first.ask("GET", link).title == "Overview"
    assert second.ask("GET", link).status == 401
    assert first.ask("GET", link).title == "Overview", "whoever is in stays in"


@pytest.mark.parametrize("ticket", ["", "x", "1.2.3", "9999999999.aa.bb", "9999999999." + "0" * 32 + "." + "0" * 64])
def test_an_invented_ticket_is_none(atoll, ticket):
    assert Visitor(atoll).ask("GET", f"/console/enter?ticket={ticket}").status == 401


def test_the_session_is_for_our_pages_only_and_for_no_script(atoll):
    link = re.search(r"/console/\S+", atoll.cli("console"))[0]
    cookie = Visitor(atoll).ask("GET", link, follow=False).headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/console" in cookie


def test_the_key_is_its_owners(atoll):
    assert (atoll.state / "console.key").stat().st_mode & 0o777 == 0o600


def test_a_session_outlives_the_daemon(atoll, visitor):
    atoll.stop()
    atoll.up()
    assert visitor.get("/").title == "Overview"


def test_a_page_of_another_origin_can_do_nothing(visitor):
    for origin in (foreign(visitor), "https://evil.example", "null"):
        for method, body in (("POST", FORM), ("GET", None)):
            page = visitor.ask(method, visitor.address("/patterns"), body, Origin=origin)
            assert page.status == 403
            assert "may not call this" in page.html


def test_another_name_that_leads_here_is_not_ours(visitor):
    page = visitor.ask("GET", visitor.address("/"), Host=f"evil.example:{visitor.atoll.port}")
    assert page.status == 403


def test_a_form_without_the_token_of_the_session_changes_nothing(atoll, visitor):
    other = Visitor(atoll).enter()

    for body in (FORM, "token=", "token=abc", f"token={other.token()}"):
        page = visitor.ask("POST", visitor.address("/patterns"), body, follow=False)
        assert page.status == 403
        assert "not of your session" in page.main.text
    assert visitor.post("/patterns", {"name": "x"}, follow=False).status == 303


def test_the_address_of_an_act_changes_nothing_by_get(atoll, visitor):
    from atoll.console import site

    site.load()
    visitor.get("/")  # which opens the account
    before = atoll.status()["loop"]["history"]
    for pattern in sorted(site.ACTS):
        visitor.get(re.sub(r"\{.*?\}", "x-1", pattern))
    assert atoll.status()["loop"]["history"] == before


def test_every_page_forbids_scripts_of_others_and_frames(visitor):
    for page in (visitor.get("/"), visitor.get("/nowhere"), visitor.ask("GET", "/console/enter")):
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|\bstyle=|javascript:", page.html)


def test_leaving_ends_the_session(atoll):
    visitor = Visitor(atoll).enter()
    body = f"token={visitor.token()}"
    assert visitor.ask("POST", "/console/leave", body).status == 401


def test_looks_lead_only_to_our_own_pages(visitor):
    for to in ("https://evil.example/", "//evil.example/", "/other", "javascript:alert(1)", "\\\\evil.example"):
        body = f"token={visitor.token()}&theme=dark&language=ko&to={to}"
        page = visitor.ask("POST", "/console/looks", body, follow=False)
        assert page.headers["location"] == "/console"
    assert 'data-theme="dark"' in visitor.get("/").html
    assert visitor.get("/").title == "개요"
    visitor.ask("POST", "/console/looks", f"token={visitor.token()}&theme=auto&language=en&to=/console/x")


@pytest.mark.parametrize("place", ["1/us-east-1", "000000000000/US", "000000000000/..%2f", "0000000000001/us-east-1"])
def test_what_is_no_account_or_region_has_no_pages(visitor, place):
    assert visitor.ask("GET", f"/console/{place}/").status == 404


def test_garbage_is_no_form(visitor):
    for body in ("\x00\xff", "&" * 20_000, "token" * 1000):
        assert visitor.ask("POST", visitor.address("/patterns"), body).status == 403
