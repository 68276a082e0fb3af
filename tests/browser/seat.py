"""A person at a browser: the console in one language, found by role and label; and what axe says of a page."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Locator, Page, expect

from atoll.console.access import key_of, link
from atoll.console.texts import Speaker
from tests.daemon.atoll import Atoll

LOCALES = {"en": "en-US", "ko": "ko-KR", "zh": "zh-CN"}
WAIT_MS = 20_000
SERIOUS = ("serious", "critical")
expect.set_options(timeout=WAIT_MS)


@dataclass
class Seat:
    """Somebody who is in: `t` says the texts of their language."""

    atoll: Atoll
    page: Page
    t: Speaker
    axe: Path | None  # None: this machine cannot have it
    base: str = ""

    def enter(self) -> "Seat":
        """Follow a link such as `atoll console` prints."""
        self.page.goto(link(self.atoll.url, key_of(self.atoll.state), self.atoll.get("/_atoll/owner")["challenge"]))
        self.base = self.page.url.rstrip("/")
        return self

    def go(self, path: str) -> "Seat":
        """Open a page of the console."""
        answer = self.page.goto(self.base + path)
        assert answer, path
        assert answer.status == 200, f"{path}: {answer.status}"
        return self

    def say(self, name: str, /, **values: Any) -> str:
        """Return a text of the console."""
        return str(self.t(name, **values).unescape())

    def link(self, text: str) -> Locator:
        return self.page.get_by_role("link", name=self.say(text), exact=True)

    def button(self, text: str, /, **values: Any) -> Locator:
        return self.page.get_by_role("button", name=self.say(text, **values), exact=True)

    def field(self, text: str, /, **values: Any) -> Locator:
        return self.page.get_by_label(re.compile("^" + re.escape(self.say(text, **values))))

    def pick(self, text: str, shown: str) -> None:
        """Choose the first option that shows something, in the field of this text."""
        field = self.page.get_by_role("combobox", name=re.compile("^" + re.escape(self.say(text))))
        field.select_option(value=field.locator("option").filter(has_text=shown).first.get_attribute("value"))

    def press(self, text: str, **values: Any) -> None:
        """Press the one button of this text."""
        self.button(text, **values).click()

    def act(self, text: str) -> None:
        """Press the one button of an act: its name goes on with whose it is."""
        self.page.get_by_role("button", name=re.compile("^" + re.escape(self.say(text)) + " ")).click()

    def sure(self) -> None:
        """Say that one is sure."""
        self.page.get_by_role("dialog").get_by_role("button", name=self.say("common.go_on"), exact=True).click()

    def row(self, text: str) -> Locator:
        """Return the row of a table that has this text."""
        return self.page.get_by_role("row").filter(has_text=text)

    def sees(self, text: str) -> None:
        """Wait until the main part has a text."""
        expect(self.page.get_by_role("main")).to_contain_text(text, timeout=WAIT_MS)

    def findings(self) -> list[str]:
        """Return what axe has against the page, if it is serious: all of it in light, and its colours in dark too."""
        assert self.axe, "whoever asks has looked"
        self.page.evaluate(self.axe.read_text(encoding="utf-8"))
        found = self._violations("light", {})
        found += self._violations("dark", {"runOnly": ["color-contrast"]})  # all that the scheme changes
        return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in SERIOUS]

    def _violations(self, scheme: Literal["light", "dark"], options: dict[str, Any]) -> list[dict[str, Any]]:
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no colour is on its way to another
        run = "options => axe.run(options).then(r => r.violations)"
        wanted = {"resultTypes": ["violations"], "selectors": False}  # these would take a quarter of its time
        return list(self.page.evaluate(run, wanted | options))


def seat(browser: Browser, atoll: Atoll, language: str, axe: Path | None, **looks: Any) -> Seat:
    """Open the console in a language, in a window of its own; what a script throws fails the test."""
    context = browser.new_context(locale=LOCALES[language], **looks)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: (_ for _ in ()).throw(AssertionError(f"a script failed: {error}")))
    return Seat(atoll, page, Speaker(language), axe).enter()
