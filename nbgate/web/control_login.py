"""What the command line asks of a running gateway about second factors, tokens, sessions and who may come in.

Only for the control socket: whoever asks was judged by `nbgate.web.control` before. A secret is in an answer only where
it was asked to be made, and in that answer alone.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from nbgate.clock import Clock
from nbgate.errors import CredentialRejected, InputRefused
from nbgate.keeper.account_changes import unknown_account
from nbgate.keeper.api_tokens import DAY_SECONDS, MAX_DAYS
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.links import LIFE_SECONDS
from nbgate.model.account import StoredSession, parse_user_name
from nbgate.model.session import Scope
from nbgate.web.answers import json_answer, json_error
from nbgate.web.bodies import Fields, read_json
from nbgate.web.control_values import penalty_value, session_value, token_value
from nbgate.web.servers import unmounted_of

ACTOR: Final = web.RequestKey("actor", str)
"""Who asks, as the audit names them."""

LINK_MINUTES: Final = int(LIFE_SECONDS // 60)
_CODE: Final = Fields(frozenset({"code", "alone"}))
_TOKEN: Final = Fields(frozenset({"name", "scope", "routes", "days"}))

Urls = Callable[[], Awaitable[list[str]]]


def add_login_routes(app: web.Application, keeper: Keeper, clock: Clock, urls: Urls) -> None:
    """Register every call of this file.

    Args:
        app: The control application, which sets `ACTOR`.
        keeper: Who does what is asked.
        clock: Where time is read.
        urls: Returns the addresses under which the gateway is reached.
    """
    control = _LoginControl(keeper, clock, urls)
    app.router.add_routes(
        [
            web.post("/users/{name}/totp", control.begin_totp),
            web.post("/users/{name}/totp/confirm", control.confirm_totp),
            web.delete("/users/{name}/totp", control.remove_totp),
            web.post("/users/{name}/codes", control.new_codes),
            web.post("/users/{name}/tokens", control.add_token),
            web.post("/users/{name}/link", control.make_link),
            web.post("/users/{name}/unlock", control.unlock),
            web.delete("/users/{name}/sessions", control.revoke_user),
            web.get("/sessions", control.list_sessions),
            web.delete("/sessions/{label}", control.revoke_session),
            web.get("/tokens", control.list_tokens),
            web.delete("/tokens/{label}", control.revoke_token),
            web.get("/penalties", control.list_penalties),
            web.delete("/penalties", control.clear_penalties),
            web.post("/lockdown", control.lock_down),
            web.delete("/lockdown", control.lift_lockdown),
        ]
    )


class _LoginControl:
    def __init__(self, keeper: Keeper, clock: Clock, urls: Urls) -> None:
        self._keeper = keeper
        self._clock = clock
        self._urls = urls

    # accounts

    async def begin_totp(self, request: web.Request) -> web.Response:
        user, urls = await self._known(request), await self._urls()
        enrolment = self._keeper.factors.begin_totp(user, urlsplit(urls[0]).netloc if urls else "")
        return json_answer({"secret": enrolment.secret, "uri": enrolment.uri})

    async def confirm_totp(self, request: web.Request) -> web.Response:
        body, user = await read_json(request, _CODE), await self._known(request)
        try:
            codes = await self._keeper.factors.confirm_totp(user, body["code"], request[ACTOR])
        except CredentialRejected:  # no failure: people mistype, and type once more
            return json_answer({"accepted": False})
        if body["alone"] == "yes":
            await self._keeper.factors.set_totp_alone(user, request[ACTOR])
        return json_answer({"accepted": True, "user": user, "codes": codes})

    async def remove_totp(self, request: web.Request) -> web.Response:
        user = await self._known(request)
        await self._keeper.factors.remove_totp(user, request[ACTOR])
        return json_answer({"user": user})

    async def new_codes(self, request: web.Request) -> web.Response:
        user = await self._known(request)
        codes = await self._keeper.factors.new_recovery_codes(user, request[ACTOR])
        return json_answer({"user": user, "codes": codes})

    async def make_link(self, request: web.Request) -> web.Response:
        user = await self._known(request)
        urls = await self._urls()
        if not urls:
            return json_error(503, "the gateway does not listen yet", "try again")
        token = await self._keeper.links.make(user, request[ACTOR])
        links = [f"{url}_nbgate/link/{token}" for url in urls]
        return json_answer({"user": user, "links": links, "minutes": LINK_MINUTES}, 201)

    async def unlock(self, request: web.Request) -> web.Response:
        user = await self._known(request)
        await self._keeper.throttle.unlock(user, request[ACTOR])
        return json_answer({"user": user})

    # sessions and tokens

    async def list_sessions(self, request: web.Request) -> web.Response:
        logins = [stored for stored in await self._asked(request) if not stored.session.is_token]
        values = [session_value(stored, self._keeper.channels(stored.session.id)) for stored in logins]
        return json_answer({"sessions": values})

    async def revoke_session(self, request: web.Request) -> web.Response:
        stored = await self._keeper.revoke_named(request.match_info["label"], request[ACTOR])
        return json_answer({"id": stored.session.label, "user": stored.session.user})

    async def revoke_user(self, request: web.Request) -> web.Response:
        user = await self._known(request)
        return json_answer({"user": user, "ended_sessions": await self._keeper.revoke_user(user, request[ACTOR])})

    async def add_token(self, request: web.Request) -> web.Response:
        body, user = await read_json(request, _TOKEN), await self._known(request)
        stored, text = await self._keeper.tokens.add(
            user,
            body["name"],
            parse_scope(body["scope"]),
            tuple(body["routes"].split()),
            self._clock.unix() + parse_days(body["days"]) * DAY_SECONDS,
            request[ACTOR],
        )
        unmounted = unmounted_of(stored.session, self._keeper.mounts.routes())
        return json_answer({**token_value(stored), "token": text, "unmounted": unmounted}, 201)

    async def list_tokens(self, request: web.Request) -> web.Response:
        tokens = [stored for stored in await self._asked(request) if stored.session.is_token]
        return json_answer({"tokens": [token_value(stored) for stored in tokens]})

    async def revoke_token(self, request: web.Request) -> web.Response:
        stored = await self._keeper.tokens.revoke(request.match_info["label"], request[ACTOR])
        return json_answer({"id": stored.session.label, "user": stored.session.user, "name": stored.label})

    # who may come in at all

    async def list_penalties(self, _request: web.Request) -> web.Response:
        now = self._clock.monotonic()
        return json_answer({"penalties": [penalty_value(one, now) for one in self._keeper.penalties.shown()]})

    async def clear_penalties(self, request: web.Request) -> web.Response:
        asked = request.query.get("netblock")
        return json_answer({"cleared": await self._keeper.penalties.clear(asked, request[ACTOR])})

    async def lock_down(self, request: web.Request) -> web.Response:
        return json_answer({"ended_sessions": await self._keeper.lock_down(request[ACTOR])})

    async def lift_lockdown(self, request: web.Request) -> web.Response:
        await self._keeper.lift_lockdown(request[ACTOR])
        return json_answer({})

    async def _asked(self, request: web.Request) -> tuple[StoredSession, ...]:
        """Return the sessions and tokens of the user in the query, without one those of everybody."""
        asked = request.query.get("user")
        return self._keeper.sessions_of(None if asked is None else await self._require(asked))

    async def _known(self, request: web.Request) -> str:
        return await self._require(request.match_info["name"])

    async def _require(self, text: str) -> str:
        """Return the canonical name of the account `text`.

        Raises:
            InputRefused: It can be nobody's.
            AccountError: There is none.
        """
        name = parse_user_name(text)
        if await self._keeper.accounts.get(name) is None:
            raise unknown_account(name)
        return name


def parse_scope(text: str) -> Scope:
    """Return the scope of a token that is called `text`.

    Raises:
        InputRefused: None is.
    """
    scopes = [scope.value for scope in Scope if scope is not Scope.LOGIN]
    if text not in scopes:
        raise InputRefused(f"{text!r} is no scope", hint=f"there are {', '.join(scopes)}")
    return Scope(text)


def parse_days(text: str) -> int:
    """Return for how many days a token is good.

    Raises:
        InputRefused: It is no number from 1 to `MAX_DAYS`.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_DAYS)) and 1 <= int(text) <= MAX_DAYS):
        raise InputRefused(f"a token is not good for {text} days", hint=f"from 1 to {MAX_DAYS} days")
    return int(text)
