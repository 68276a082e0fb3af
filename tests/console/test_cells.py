"""Cells are written as the macros of `ui.html` write single values, and what is in them is text, never markup."""

from datetime import UTC, datetime

import pytest

from atoll.console import render, site
from atoll.console.ask import Ask
from atoll.console.cells import Cells
from atoll.console.tables import column
from atoll.console.texts import LANGUAGES, Speaker
from atoll.model.world import Caller

CALLER = Caller(account="000000000000", region="us-east-1", arn="arn:aws:iam::000000000000:root")
HOSTILE = "<b onclick=\"x\">'&"
MOMENT = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)
TAGS = [{"Key": "Name", "Value": HOSTILE}, {"Key": HOSTILE, "Value": ""}]
VALUES = {
    "text": [None, "", 0, 12, "a name", HOSTILE, False],
    "number": [None, 0, 7, 0.5],
    "wrap": ["a long text", HOSTILE],
    "id": [None, "", "sg-0123456789abcdef0", "i-1", "acme-1", HOSTILE, f"sg-{HOSTILE}", "vpc-a/../b?c=d"],
    "ids": [None, (), ["sg-1"], ["sg-1", HOSTILE, "vpc-1"]],
    "status": [None, "available", "creating", "create-failed", "shutting down", "unheard-of", HOSTILE],
    "code": [None, "", "10.0.0.1", HOSTILE],
    "time": [None, MOMENT, "yesterday"],
    "yes": [True, False, None],
    "tags": [None, [], TAGS],
}
MACROS = {"id": "ui.id", "ids": "ui.ids", "status": "ui.status", "yes": "ui.yes", "tags": "ui.tags"}


def _macro(ask, shows, value):
    """Return what a template makes of a value."""
    called = {
        "time": "{{ value|time }}",
        "code": "{% if value %}<code>{{ value }}</code>{% else %}–{% endif %}",
    }.get(shows, f"{{{{ {MACROS.get(shows, 'ui.text')}(value) }}}}")
    if shows == "ids":
        value = value or ()
    source = '{% import "ui.html" as ui with context %}' + called
    return render.environment().from_string(source).render(ask=ask, t=ask.t, value=value)


@pytest.fixture(scope="module", params=LANGUAGES)
def ask(request):
    if not site.PAGES:
        site.load()
    return Ask(service=None, caller=CALLER, path="/", t=Speaker(request.param))


@pytest.mark.parametrize("shows", VALUES)
def test_a_cell_is_what_the_macro_makes_of_its_value(ask, shows):
    cells = Cells(ask)

    for value in VALUES[shows]:
        assert str(cells.shown(value, shows)) == _macro(ask, shows, value), value


def test_a_row_has_its_cells_in_order(ask):
    columns = [
        column("name", "common.name", "Name"),
        column("id", "common.id", "Id", "id"),
        column("count", "common.count", "Count", is_number=True),
        column("about", "common.description", "About", "wrap"),
    ]

    row = Cells(ask).row(columns, {"Name": HOSTILE, "Id": "sg-1", "Count": 3})

    link = '<a class="id" href="/console/000000000000/us-east-1/vpc/groups/sg-1">sg-1</a>'
    hostile = "&lt;b onclick=&#34;x&#34;&gt;&#39;&amp;"
    assert row == f'<td>{hostile}</td><td>{link}</td><td class="number">3</td><td class="wrap">–</td>'
