"""The one table, and the same as JSON."""

import json
import platform
import statistics
import subprocess

from bench.measure import Figures

COLUMNS = (
    ("cpu_us_per_request", "CPU µs/request", "{:.1f}"),
    ("requests_per_second", "requests/s", "{:.0f}"),
    ("p50_ms", "p50 ms", "{:.2f}"),
    ("p99_ms", "p99 ms", "{:.2f}"),
    ("cpu_seconds_per_gib", "CPU s/GiB", "{:.2f}"),
    ("mib_per_second", "MiB/s", "{:.0f}"),
    ("memory_mib", "memory MiB", "{:.0f}"),
    ("start_ms", "start ms", "{:.0f}"),
)
LIMITS = (
    ("cpu_us_per_request", "nginx", 1.6),
    ("cpu_us_per_request", "caddy", 0.5),
    ("cpu_seconds_per_gib", "nginx", 1.0),
)
"""(column, other side, most that nbgate may need of it)."""


def ratios(figures: dict[str, Figures]) -> list[dict[str, object]]:
    """Return how nbgate compares with the others, each with its limit."""
    medians = {name: side.medians() for name, side in figures.items()}
    rows: list[dict[str, object]] = []
    for column, other, limit in LIMITS:
        ours, theirs = medians.get("nbgate", {}).get(column), medians.get(other, {}).get(column)
        if ours is not None and theirs:
            ratio = ours / theirs
            rows.append({"figure": column, "other": other, "ratio": ratio, "limit": limit, "holds": ratio <= limit})
    return rows


def as_json(figures: dict[str, Figures], options: dict[str, object]) -> str:
    """Return everything that was measured, every round of it."""
    sides = {
        name: {"medians": side.medians(), "rounds": {c: getattr(side, c) for c, _, _ in COLUMNS}}
        | {"requests": side.requests, "records": side.records}
        for name, side in figures.items()
    }
    document = {"machine": machine(), "options": options, "sides": sides, "ratios": ratios(figures)}
    return json.dumps(document, indent=2) + "\n"


def as_table(figures: dict[str, Figures]) -> str:
    """Return the table as Markdown: medians, in brackets least and most of the rounds."""
    head = ["side", *(title for _, title, _ in COLUMNS), "records/requests"]
    rows = [head, ["---"] * len(head)]
    for name, side in figures.items():
        cells = [_cell(getattr(side, column), form) for column, _, form in COLUMNS]
        rows.append([name, *cells, f"{side.records}/{side.requests}"])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    for row in ratios(figures):
        verdict = "holds" if row["holds"] else "DOES NOT HOLD"
        lines.append(f"nbgate/{row['other']} {row['figure']}: {row['ratio']:.2f} (limit {row['limit']}: {verdict})")
    return "\n".join(lines) + "\n"


def _cell(values: list[float], form: str) -> str:
    if not values:
        return "-"
    middle = statistics.median(values)
    if len(values) == 1:
        return form.format(middle)
    return f"{form.format(middle)} [{form.format(min(values))} to {form.format(max(values))}]"


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "nginx": _version("/usr/sbin/nginx", "-v"),
        "caddy": _version("caddy", "version"),
        "wrk": _version("wrk", "-v"),
    }


def _version(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else ""
