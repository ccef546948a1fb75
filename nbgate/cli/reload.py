"""`nbgate reload`: have the running gateway read its configuration, certificate and rules again."""

from pathlib import Path

from nbgate.cli.gateway import ask_running, load_for
from nbgate.cli.output import say
from nbgate.cli.parser import Config, DataDir


def reload_gateway(*, data_dir: DataDir = None, config: Config = None) -> int:
    """Read configuration, certificate and rules again; a mistake in them changes nothing and is told."""
    loaded = load_for(data_dir, config)
    done = ask_running(Path(loaded.config.data_dir), "POST", "/reload")
    say(f"nbgate: configuration {done['version']} is in force")
    if done["needs_restart"]:
        say(f"  hint: a restart is needed for: {', '.join(done['needs_restart'])}")
    return 0
