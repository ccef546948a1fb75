"""Answers of nbgate's own pages: HTML that can run nothing but our files, JSON that nobody may keep, and their headers.

No page uses an inline script, an inline style or anything from another origin; what a person typed is escaped by the
template engine, never by hand.
"""

from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from aiohttp import web

from nbgate.web.assets import Assets

FOLDER: Final = Path(__file__).resolve().parent
OWN: Final = "_nbgate"

_COMMON: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
PAGE_HEADERS: Final = {
    **_COMMON,
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
}
JSON_HEADERS: Final = {
    **_COMMON,
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
ASSET_HEADERS: Final = {
    **_COMMON,
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Pages:
    """Renders the templates of this room.

    Args of the constructor:
        assets: What the pages are made of.
        home: The path below which the gateway is reached. Only what a browser resolves itself is told: our handlers and
            their redirects stay at `/_nbgate/`, which the workers map as they do for every upstream.

    Attributes:
        home: That path, where "the notebooks" are.
    """

    def __init__(self, assets: Assets, home: str = "/") -> None:
        self.home = home
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "asset": lambda file: home + assets.url(file).removeprefix("/"),
            "home": home,
            "own": f"{home}{OWN}",
        }

    def answer(self, template: str, status: int = 200, **values: Any) -> web.Response:
        """Return the page `template` filled with `values`."""
        text = self._templates.get_template(template).render(**values)
        return web.Response(status=status, text=text, content_type="text/html", headers=PAGE_HEADERS)


def see_other(location: str) -> web.Response:
    """Return a 303 to `location`, a path of this origin that the caller has judged."""
    return web.Response(status=303, headers={**PAGE_HEADERS, "Location": location})


def json_answer(value: Any, status: int = 200) -> web.Response:
    """Return `value` as JSON."""
    return web.Response(
        status=status, body=msgspec.json.encode(value), content_type="application/json", headers=JSON_HEADERS
    )


def json_error(status: int, public: str, hint: str = "") -> web.Response:
    """Return the JSON form of a failure."""
    return json_answer({"error": public, "hint": hint} if hint else {"error": public}, status)
