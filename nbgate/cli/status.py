"""`nbgate status`: how the running gateway is."""

import json
from pathlib import Path
from typing import Any, Literal

from nbgate.cli.gateway import ask_running, load_for
from nbgate.cli.output import print_table
from nbgate.cli.parser import Config, DataDir


def show_status(*, format: Literal["table", "json"] = "table", data_dir: DataDir = None, config: Config = None) -> int:  # noqa: A002 - the flag's name
    """Show processes, upstream, sessions and audit of the running gateway."""
    loaded = load_for(data_dir, config)
    status = ask_running(Path(loaded.config.data_dir), "GET", "/status")
    if format == "json":
        print(json.dumps(status, indent=2))
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
            ("audit", f"{written}, next record {audit['next_seq']} in {audit['segment']}"),
            *(("upstream", _upstream(upstream)) for upstream in status["upstreams"]),
        ],
    )
    print()
    print_table(
        ("process", "pid", "restarts", "started", "connections", "websockets", "requests", "confined by the kernel"),
        [_process(process) for process in status["processes"]],
    )


def _upstream(upstream: dict[str, Any]) -> str:
    hint = f": {upstream['hint']}" if upstream["hint"] else ""
    return f"{upstream['address']} is {upstream['condition']} since {upstream['since']}{hint}"


def _process(process: dict[str, Any]) -> tuple[object, ...]:
    common = (process["pid"], process["restarts"], process["started"])
    if "worker" not in process:
        return (process["role"], *common, "", "", "", "")
    counters = (process["connections"], process["websockets"], process["requests"])
    return (f"{process['role']} {process['worker']}", *common, *counters, ", ".join(process["confinement"]))
