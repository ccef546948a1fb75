"""`nbgate status`: how the running gateway is."""

from pathlib import Path
from typing import Any, Final

from nbgate.cli.gateway import ask_running, load_for
from nbgate.cli.output import print_json, print_table
from nbgate.cli.parser import Format, Where
from nbgate.terminal import clean

_WANTED_BY: Final = {"configuration": "configuration", "runtime": "nbgate routes", "found": "found"}


def show_status(*, format: Format = "table", where: Where = Where()) -> int:  # noqa: A002 - the flag's name
    """Show the notebook servers, processes, sessions and audit of the running gateway."""
    loaded = load_for(where)
    status = ask_running(Path(loaded.config.data_dir), "GET", "/status")
    if format == "json":
        print_json(status)
    else:
        _print_status(status)
    return 0


def _print_status(status: dict[str, Any]) -> None:
    audit = status["audit"]
    written = f"cannot be written since {audit['failing_since']}" if audit["failing_since"] else "written"
    print_table(
        ("nbgate", status["version"]),
        [
            ("ready", "yes" if status["ready"] else "no"),
            ("listening", " ".join(status["listening"])),
            ("certificate", f"SHA-256 {status['certificate_sha256']}"),
            ("users", status["users"]),
            ("sessions", status["sessions"]),
            *((("tokens", status["tokens"]),) if status["tokens"] else ()),
            *((("login", "closed by nbgate lockdown"),) if status["locked_down"] else ()),
            *((("penalties", f"{status['penalties']} netblocks refused"),) if status["penalties"] else ()),
            ("audit", f"{written}, next record {audit['next_seq']} in {audit['segment']}"),
        ],
    )
    print()
    _print_upstreams(status)
    print()
    print_table(
        (
            *("process", "pid", "restarts", "started", "connections", "strangers", "websockets", "requests", "refused"),
            *("late", "confined by the kernel"),
        ),
        [_process(process) for process in status["processes"]],
    )


def _print_upstreams(status: dict[str, Any]) -> None:
    upstreams = status["upstreams"]
    if upstreams:
        heads = ("upstream", "is", "base URL", "mounted at", "by", "condition", "since")
        print_table(heads, [_upstream(upstream) for upstream in upstreams])
    else:
        print("upstream: no notebook server is running; one that starts is found by itself")
    for upstream in upstreams:
        if upstream["hint"]:
            print(f"  hint: {clean(upstream['address'])}: {clean(upstream['hint'])}")


def _upstream(upstream: dict[str, Any]) -> tuple[object, ...]:
    mounted_at = upstream["mounted_at"] or "nowhere"
    names = (upstream["address"], upstream["product"], upstream["base_url"], mounted_at)
    return (*names, _WANTED_BY[upstream["source"]], upstream["condition"], upstream["since"])


def _process(process: dict[str, Any]) -> tuple[object, ...]:
    common = (process["pid"], process["restarts"], process["started"])
    if "worker" not in process:
        return (process["role"], *common, *[""] * 7)
    held = f"{process['connections']} of {process['places']}"
    late = f"{process['lag_seconds']:.2f} s"
    counters = (held, *(process[name] for name in ("strangers", "websockets", "requests", "refused")), late)
    return (f"{process['role']} {process['worker']}", *common, *counters, ", ".join(process["confinement"]))
