"""Somebody who may name things, and a person who lists them: what the terminal is given is only text."""

import json
import logging

import pytest
from botocore.exceptions import ClientError

from atoll.cli import show
from atoll.cli.failure import Failure
from atoll.control.events import Lines
from tests.daemon.atoll import running

TITLE, CLEAR, EIGHT_BITS, TURNED = "\x1b]0;owned\x07", "\x1b[2J", "\x9b31m", "\u202e"
MARKUP = "[/no such style]"  # a program that reads brackets as markup ends with a traceback


@pytest.fixture
def said(capsys):
    show.console.cache_clear()  # it keeps the output of whoever asked first
    yield lambda: "".join(capsys.readouterr())
    show.console.cache_clear()


@pytest.mark.parametrize("order", [TITLE, CLEAR, EIGHT_BITS, TURNED, "\r", "\x7f", "\b"])
def test_no_text_is_an_order_to_the_terminal(said, order):
    show.table(order, (order,), [(order,)])
    show.line(f"{order}kept")
    Failure(order, order).show()

    shown = said()

    assert not set(order) & set(shown) - set("[]0123456789;Jmowned")
    assert "kept" in shown


def test_a_name_is_one_row_and_no_markup(said):
    show.table("t", ("name",), [(f"a\nb  running{MARKUP}[red]",)])

    assert said().splitlines()[2].rstrip() == f"a\\nb  running{MARKUP}[red]"


def test_what_an_account_called_things_is_shown_by_every_list():
    hostile = f"{EIGHT_BITS}{TURNED}{MARKUP}"
    with running("paper") as atoll:
        ec2 = atoll.client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        ec2.create_network_interface(SubnetId=subnet, Description=hostile)
        with pytest.raises(ClientError):
            ec2.create_tags(Resources=[subnet], Tags=[{"Key": "Name", "Value": f"{hostile}{TITLE}{CLEAR}"}])

        for command in (("status",), ("activity",), ("reach",)):
            assert not {"\x1b", "\x07", "\x9b", TURNED} & set(atoll.cli(*command)), command
        assert MARKUP in atoll.cli("activity")


def test_no_line_of_the_log_is_an_order_to_the_terminal():
    said = {"path": f"/{TITLE}{EIGHT_BITS}{TURNED}\U000e0041", "because": "\uc548\ub155 \u00e9"}
    record = logging.makeLogRecord({"msg": "request refused", "fields": said, "levelname": "INFO"})

    line = Lines().format(record)

    assert line.isprintable()
    assert "\uc548\ub155 \u00e9" in line, "what people write is shown as they write it"
    assert json.loads(line.partition("refused ")[2]) == said
