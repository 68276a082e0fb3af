"""The application: from a request to the page or act at its path, behind the door."""

import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from atoll.aws.errors import AwsError
from atoll.aws.http import BODY_BYTES_MAX, FIELDS_MAX, Answer, Request, Stream
from atoll.console import asgi, live, render, site
from atoll.console.access import Door, Listener, key_of
from atoll.console.ask import Answered, Ask, Events, Form, Go, Made, Page, Previewed, Service, Shown, Told, View
from atoll.console.cookies import Cookies
from atoll.console.render import Looks
from atoll.console.texts import Speaker
from atoll.model.names import DEFAULT_ACCOUNT
from atoll.model.world import Caller

log = logging.getLogger(__name__)
HOME_REGION = "us-east-1"
LAST_MAX = 100  # sessions of which we remember what the last act did, until the next page shows it
ACCOUNT, REGION = re.compile(r"\d{12}"), re.compile(r"[a-z]{2}(-[a-z]+){1,3}-\d")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# xterm.js makes style elements; this page shows nothing of other people's but what its terminal draws.
POLICY_OF_TERMINALS = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def console(service: Service, state_dir: Path, listener: Listener) -> Callable[[Request], Awaitable[Answer | Stream]]:
    """Return the console of a daemon: a function that answers a request, and never raises."""
    app = _Console(service, Door(key_of(state_dir), listener)).app

    async def answer(request: Request) -> Answer | Stream:
        try:
            return await asgi.answer(app, request)
        except Exception:  # a mistake of ours: the page says so, the log has the trace
            log.exception("a page failed", extra={"fields": {"path": request.path[:200]}})
            return Answer(500, {"content-type": "text/plain;charset=UTF-8"}, b"The page failed; the log says why.\n")

    return answer


class _Console:
    def __init__(self, service: Service, door: Door) -> None:
        site.load()
        self._service, self._door = service, door
        self._pages, self._acts = site.Paths(site.PAGES), site.Paths(site.ACTS)
        self._last: OrderedDict[str, list[Made | Shown]] = OrderedDict()
        place = "/console/{account}/{region}"
        routes = [
            Route("/console/static/{edition}/{name}", self._file),
            Route("/console/enter", self._enter),
            Route("/console", self._behind(self._home)),
            Route("/console/", self._behind(self._home)),
            Route("/console/leave", self._behind(self._leave), methods=["POST"]),
            Route("/console/looks", self._behind(self._look), methods=["POST"]),
            Route("/console/place", self._behind(self._place)),
            Route(f"{place}/live", self._behind(self._live)),
            Route(f"{place}/{{path:path}}", self._behind(self._get), methods=["GET"]),
            Route(f"{place}/{{path:path}}", self._behind(self._post), methods=["POST"]),
            Route("/{path:path}", self._behind(self._nothing)),
        ]
        self.app = Starlette(routes=routes)

    # The door

    def _behind(self, fn: Callable[[Asked], Awaitable[Response]]) -> Callable[[Asked], Awaitable[Response]]:
        """Return a route that only a session reaches; a POST carries the session's token, too."""

        async def answer(asked: Asked) -> Response:
            session = Cookies(asked).session
            if not self._door.knows(session):
                return self._refused(asked, "common.door_text", 401)
            if asked.method == "POST":
                asked.state.form = await _form(asked)
                token = asked.state.form.get("token") or asked.headers.get("x-atoll-token", "")
                if not self._door.is_form_token(session, token):
                    return self._refused(asked, "common.door_stale", 403)
            response = await fn(asked)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return answer

    async def _enter(self, asked: Asked) -> Response:
        if asked.method != "GET":
            return PlainTextResponse("", 405, HEADERS)
        session = self._door.enter(asked.query_params.get("ticket", ""))
        if session is None:
            if self._door.knows(Cookies(asked).session):  # the link was opened twice
                return RedirectResponse("/console", 303, HEADERS)
            return self._refused(asked, "common.door_used", 401)
        response = RedirectResponse("/console", 303, HEADERS)
        Cookies(asked).set_session(response, session)
        return response

    async def _leave(self, asked: Asked) -> Response:
        response = RedirectResponse("/console", 303)
        Cookies(asked).forget(response)
        return response

    # What is no page of an account

    async def _home(self, _: Asked) -> Response:
        return RedirectResponse(f"/console/{DEFAULT_ACCOUNT}/{HOME_REGION}/", 303)

    async def _file(self, asked: Asked) -> Response:
        name = asked.path_params["name"]
        content = render.files().get(name)
        if content is None or asked.path_params["edition"] != render.edition():
            return PlainTextResponse("", 404, HEADERS)
        kept = {**HEADERS, "cache-control": "public, max-age=31536000, immutable"}
        return Response(content, 200, kept, render.TYPES[Path(name).suffix])

    async def _look(self, asked: Asked) -> Response:
        form = asked.state.form
        response = RedirectResponse(_own(form.get("to")), 303)
        Cookies(asked).set_looks(response, language=form.get("language"), theme=form.get("theme"))
        return response

    async def _place(self, asked: Asked) -> Response:
        query = asked.query_params
        account, region = query.get("account", "").strip(), query.get("region", "").strip()
        if not ACCOUNT.fullmatch(account) or not REGION.fullmatch(region):
            return self._refused(asked, "common.no_such_place", 400)
        return RedirectResponse(f"/console/{account}/{region}/{quote(query.get('to', '').lstrip('/'))}", 303)

    async def _live(self, asked: Asked) -> Response:
        ask = self._ask(asked)
        if ask is None or asked.method != "GET":
            return self._refused(asked, "common.no_such_place", 404)
        pieces = live.events(self._service, ask.caller, ask.query.get("since"))
        return StreamingResponse(pieces, 200, media_type="text/event-stream")

    async def _nothing(self, asked: Asked) -> Response:
        return self._refused(asked, "common.no_such_page", 404)

    # Pages and acts

    async def _get(self, asked: Asked) -> Response:
        ask = self._ask(asked)
        found = self._pages.find(ask.path) if ask else None
        if ask is None or found is None:
            return self._refused(asked, "common.no_such_page", 404)
        pattern, ask.parts = found
        return await self._shown(asked, ask, site.PAGES[pattern])

    async def _post(self, asked: Asked) -> Response:
        ask = self._ask(asked)
        found = self._acts.find(ask.path) if ask else None
        if ask is None or found is None:
            return self._refused(asked, "common.no_such_page", 404)
        pattern, ask.parts = found
        act, back = site.ACTS[pattern]
        ask.form = asked.state.form
        ask.is_previewing = "preview" in ask.form
        try:
            answered = await act(ask)
        except (AwsError, Previewed) as refused:
            made, ask.calls = ask.calls, []
            ask.error = refused if isinstance(refused, AwsError) else None
            ask.path = back.format(**ask.parts)
            return await self._shown(asked, ask, site.PAGES[back], made=made)
        if isinstance(answered, Go):
            self._remember(ask)
        return self._sent(asked, ask, answered, [])

    async def _shown(self, asked: Asked, ask: Ask, page: Page, made: list[Made | Shown] | None = None) -> Response:
        """Show a page; `made` are the calls of the act that was refused, or that a person wants to see first."""
        previewing, ask.is_previewing = ask.is_previewing, False
        try:
            answered = await page(ask)
        except AwsError as error:
            ask.error = error
            answered = View("refused.html", {}, error.status)
        ask.is_previewing = previewing
        last = self._last.pop(ask.session, []) if made is None and isinstance(answered, View) else made or []
        return self._sent(asked, ask, answered, last)

    def _sent(self, asked: Asked, ask: Ask, answered: Answered, last: list[Made | Shown]) -> Response:
        match answered:
            case Go(url):
                return RedirectResponse(url, 303)
            case Told(value, status):
                return JSONResponse(value, status)
            case Events(pieces):
                return StreamingResponse(pieces, 200, media_type="text/event-stream")
            case View() as view:
                return self._html(asked, ask, view, last)

    def _html(self, asked: Asked, ask: Ask, view: View, last: list[Made | Shown]) -> Response:
        status = view.status if ask.error is None or view.status != 200 else ask.error.status
        token = self._door.form_token(ask.session)
        text = render.page(ask, view, self._looks(asked), token=token, last=last)
        headers = {"content-security-policy": POLICY_OF_TERMINALS} if view.values.get("is_terminal") else None
        return HTMLResponse(text, status, headers)

    def _remember(self, ask: Ask) -> None:
        self._last[ask.session] = ask.calls
        if len(self._last) > LAST_MAX:
            self._last.popitem(last=False)

    def _ask(self, asked: Asked) -> Ask | None:
        """Return what is asked; `None` if it is of no account or region."""
        account, region = asked.path_params["account"], asked.path_params["region"]
        if not ACCOUNT.fullmatch(account) or not REGION.fullmatch(region):
            return None
        return Ask(
            service=self._service,
            caller=Caller(account=account, region=region, arn=f"arn:aws:iam::{account}:root"),
            path="/" + asked.path_params.get("path", ""),
            query=Form(list(asked.query_params.multi_items())),
            t=Speaker(self._looks(asked).language),
            session=Cookies(asked).session,
            seen_revision=self._service.world.revision,
        )

    def _looks(self, asked: Asked) -> Looks:
        return Cookies(asked).looks

    def _refused(self, asked: Asked, text: str, status: int) -> Response:
        looks = self._looks(asked)
        t = Speaker(looks.language)
        return HTMLResponse(render.bare("door.html", looks, {"t": t, "text": t(text)}), status, HEADERS)


async def _form(asked: Asked) -> Form:
    """Return the fields of a form, as a browser sends them; what is none is an empty one."""
    body = await asked.body()
    if len(body) > BODY_BYTES_MAX or body.count(b"&") >= FIELDS_MAX:
        return Form()
    return Form(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def _own(url: str) -> str:
    """Return an address of the console only: never one that leads away."""
    parts = urlsplit(url)
    is_own = not parts.scheme and not parts.netloc and parts.path.startswith("/console/")
    return f"{parts.path}?{parts.query}" if is_own and parts.query else parts.path if is_own else "/console"
