"""The one table, and the same as JSON."""

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator

from bench.load import SmallLoad
from bench.measure import Figures
from bench.proxies import chp_program

BROWSER = SmallLoad("browser", "polls", 6)
CROWD = SmallLoad("crowd", "polls", 64)
UNLIKE = SmallLoad("unlike", "unlike", 6)
TITLES = {
    BROWSER: "what JupyterLab polls, 6 connections",
    CROWD: "the same, 64 connections",
    UNLIKE: "a new address every time, 6 connections",
}
"""What is small and often asked for; six is what one browser opens to a host."""


def _small_rows(load: SmallLoad) -> tuple[tuple[str, str, str], ...]:
    return (
        (f"{load.name}.cpu_us", f"{TITLES[load]}: CPU µs per request", "{:.1f}"),
        (f"{load.name}.rate", "requests per second", "{:.0f}"),
        (f"{load.name}.p50_ms", "p50 ms", "{:.2f}"),
        (f"{load.name}.p99_ms", "p99 ms", "{:.2f}"),
    )


ROWS = (
    *_small_rows(BROWSER),
    *_small_rows(CROWD),
    *_small_rows(UNLIKE),
    ("download.cpu_s_per_gib", "download of 256 MiB: CPU s per GiB", "{:.2f}"),
    ("download.mib_per_s", "MiB per second", "{:.0f}"),
    ("echo.cpu_us", "websocket messages of 120 bytes, 16 sockets: CPU µs there and back", "{:.1f}"),
    ("echo.rate", "messages there and back per second", "{:.0f}"),
    ("idle.kib", "idle websockets: KiB each", "{:.1f}"),
    ("handshake.cpu_us", "full TLS handshakes: CPU µs each", "{:.0f}"),
    ("handshake.rate", "handshakes per second", "{:.0f}"),
    ("memory_mib", "memory after small requests, MiB", "{:.0f}"),
    ("start_ms", "start to the first login page, ms", "{:.0f}"),
)
LIMITS = {
    ("browser.cpu_us", "nginx"): 1.6,
    ("browser.cpu_us", "caddy"): 0.5,
    ("download.cpu_s_per_gib", "nginx"): 1.0,
}
"""The most that nbgate may need of what another side needs."""


def ratios(figures: dict[str, Figures]) -> list[dict[str, object]]:
    """Return how nbgate compares with the others in what has a limit."""
    rows: list[dict[str, object]] = []
    for (figure, other), limit in LIMITS.items():
        ratio = _ratio(figures, figure, other)
        if ratio is not None:
            rows.append({"figure": figure, "other": other, "ratio": ratio, "limit": limit, "holds": ratio <= limit})
    return rows


def _ratio(figures: dict[str, Figures], figure: str, other: str) -> float | None:
    if not {"nbgate", other} <= set(figures):
        return None
    ours, theirs = figures["nbgate"].median(figure), figures[other].median(figure)
    return None if ours is None or not theirs else ours / theirs


def as_json(figures: dict[str, Figures], options: dict[str, object]) -> str:
    """Return everything that was measured, every round of it."""
    sides = {
        name: {
            "medians": {figure: side.median(figure) for figure in side.rounds},
            "rounds": side.rounds,
            "requests": side.requests,
            "records": side.records or None,
        }
        for name, side in figures.items()
    }
    document = {"machine": machine(), "options": options, "sides": sides, "ratios": ratios(figures)}
    return json.dumps(document, indent=2) + "\n"


def as_table(figures: dict[str, Figures]) -> str:
    """Return the table as Markdown: medians, in brackets least and most of the rounds."""
    return "".join(f"| {' | '.join(row)} |\n" for row in _rows(figures))


def _rows(figures: dict[str, Figures]) -> Iterator[list[str]]:
    others = [name for name in figures if name != "nbgate" and "nbgate" in figures]
    yield ["", *figures, *(f"nbgate / {name}" for name in others)]
    yield ["---"] * (1 + len(figures) + len(others))
    for figure, title, form in ROWS:
        cells = [_cell(side.rounds.get(figure, []), side.median(figure), form) for side in figures.values()]
        yield [title, *cells, *(_comparison(figures, figure, name) for name in others)]
    yield [
        "requests / records in its log",
        *(f"{side.requests} / {side.records or 'no log'}" for side in figures.values()),
        *("" for _ in others),
    ]


def _cell(values: list[float], middle: float | None, form: str) -> str:
    if middle is None:
        return ""
    text = form.format(middle)
    return text if len(values) == 1 else f"{text} [{form.format(min(values))} to {form.format(max(values))}]"


def _comparison(figures: dict[str, Figures], figure: str, other: str) -> str:
    ratio, limit = _ratio(figures, figure, other), LIMITS.get((figure, other))
    if ratio is None:
        return ""
    if limit is None:
        return f"{ratio:.2f}"
    return f"**{ratio:.2f}** ({'holds' if ratio <= limit else 'DOES NOT HOLD'}: at most {limit})"


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    return {
        "python": f"{platform.python_version()} ({platform.python_compiler()})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "nginx": _version("/usr/sbin/nginx", "-v"),
        "haproxy": _version("/usr/sbin/haproxy", "-v"),
        "caddy": _version("caddy", "version"),
        "configurable-http-proxy": _version(chp_program(), "--version"),
        "wrk": _version("wrk", "-v"),
    }


def _version(program: str, argument: str) -> str:
    if not shutil.which(program):
        return ""
    done = subprocess.run([program, argument], capture_output=True, text=True)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else ""
