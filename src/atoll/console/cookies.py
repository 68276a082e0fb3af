"""What the browser keeps: the session, and how a person wants the pages to look."""

from starlette.requests import Request
from starlette.responses import Response

from atoll.console.access import SESSION_SECONDS
from atoll.console.render import THEMES, Looks
from atoll.console.texts import LANGUAGES, preferred

YEAR_SECONDS = 365 * 24 * 3600


class Cookies:
    """The cookies of a request.  Their names hold our port: browsers tell hosts apart by it, but not cookies."""

    def __init__(self, request: Request) -> None:
        """Read them."""
        port = request.headers.get("host", "").rpartition(":")[2]
        suffix = port if port.isdecimal() else "80"
        self._session, self._looks = f"atoll-session-{suffix}", f"atoll-looks-{suffix}"
        self._request = request

    @property
    def session(self) -> str:
        """Return the session; "" if there is none."""
        return self._request.cookies.get(self._session, "")

    @property
    def looks(self) -> Looks:
        """Return the language and the theme."""
        language, _, theme = self._request.cookies.get(self._looks, "").partition(".")
        if language not in LANGUAGES:
            language = preferred(self._request.headers.get("accept-language", ""))
        return Looks(language=language, theme=theme if theme in THEMES else THEMES[0])

    def set_session(self, response: Response, session: str) -> None:
        """Have the browser keep a session, where no script reads it, and send it for our own pages only."""
        response.set_cookie(
            self._session, session, max_age=SESSION_SECONDS, path="/console", httponly=True, samesite="strict"
        )

    def set_looks(self, response: Response, *, language: str, theme: str) -> None:
        """Have the browser keep how it should look; what is not given stays."""
        now = self.looks
        language = language if language in LANGUAGES else now.language
        theme = theme if theme in THEMES else now.theme
        value = f"{language}.{theme}"
        response.set_cookie(
            self._looks, value, max_age=YEAR_SECONDS, path="/console", httponly=True, samesite="strict"
        )

    def forget(self, response: Response) -> None:
        """Have the browser forget the session."""
        response.delete_cookie(self._session, path="/console", httponly=True, samesite="strict")
