"""`nbgate reload`: have the running gateway read its configuration, certificate and rules again."""

from pathlib import Path
from typing import Any

from nbgate.cli.gateway import ask_running, load_for
from nbgate.cli.parser import Where
from nbgate.config.reference import waits_for_restart
from nbgate.terminal import say


def reload_gateway(*, where: Where = Where()) -> int:
    """Read configuration, certificate and rules again; a mistake in them changes nothing and is told."""
    loaded = load_for(where)
    done = ask_running(Path(loaded.config.data_dir), "POST", "/reload")
    say(f"nbgate: configuration {done['version']} is in force")
    _tell_changes(done)
    if "setup_link" in done:
        say(f"nbgate: no user yet: a new link that makes the first account is in {done['setup_link']}")
    return 0


def _tell_changes(done: dict[str, Any]) -> None:
    waiting = done["needs_restart"]
    for change in done["changed"]:
        when = ", after a restart" if waits_for_restart(change["option"], waiting) else ""
        say(f"  {change['option']}: {change['old']} -> {change['new']}{when}")
    if waiting:
        say(f"  hint: a restart is needed for: {', '.join(waiting)}")
