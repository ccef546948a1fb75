"""`nbgate`: check what can be checked here, bind, and become the supervisor.

Makes no file and reads no key: the keeper does, as a process of its own.
"""

import contextlib
import os
import resource
import sys
from pathlib import Path

import msgspec

import nbgate
from nbgate.cli.output import say
from nbgate.config.document import DEFAULT, Loaded, Source, flag_of, require_upstream
from nbgate.config_file import load_config
from nbgate.edge.confine import own_folders
from nbgate.errors import ExitCode, StartError
from nbgate.supervisor.family import Plan
from nbgate.supervisor.loop import Supervisor
from nbgate.supervisor.sockets import bind_sockets

MAX_OPEN_FILES = 1 << 18


def run_gateway(source: Source) -> int:
    """Serve until told to end; return the exit code.

    Raises:
        ConfigError: The configuration is wrong.
        StartError: The address cannot be listened on, or the data folder is where workers may read.
    """
    loaded = load_config(source)
    require_upstream(loaded)
    require_apart(Path(loaded.config.data_dir))
    prepare_process()
    is_typed = loaded.origins["ip"] in {DEFAULT, flag_of("ip")}
    sockets = bind_sockets(
        loaded.config.ip,
        loaded.config.port,
        mistyped=ExitCode.USAGE if is_typed else ExitCode.CONFIGURATION,
    )
    return Supervisor(make_plan(source, loaded), sockets, say=say).run()


def make_plan(source: Source, loaded: Loaded) -> Plan:
    """Return what the supervisor is to run."""
    config = loaded.config
    return Plan(
        program=(sys.executable, "-P", "-m", "nbgate.app"),
        source_json=msgspec.json.encode(source).decode(),
        environ=child_environment(dict(os.environ), Path(nbgate.__file__).resolve().parent.parent),
        workers=len(os.sched_getaffinity(0)) if config.workers == "auto" else config.workers,
        ip=config.ip,
        drain_seconds=config.limits.drain_seconds,
    )


def child_environment(environ: dict[str, str], home: Path) -> dict[str, str]:
    """Return the children's environment: they import nbgate from where this process did.

    They run with -P, because `python -m` would also import from the current folder, which may hold anybody's files.
    Only a checkout needs its folder named; an installed package is found by itself.
    """
    if home.name in {"site-packages", "dist-packages"}:
        return environ
    others = environ.get("PYTHONPATH", "")
    return environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(home), others)))}


def require_apart(data_dir: Path) -> None:
    """Check that the data folder is not below a folder that workers must be able to read.

    Raises:
        StartError: It is (78): a worker could read every secret.
    """
    place = data_dir.resolve()
    for folder in own_folders():
        if place.is_relative_to(folder.resolve()):
            raise StartError(
                f"the data folder {data_dir} lies in {folder}, where the program itself is",
                hint="workers may read the program, but never the data: choose another folder with --data-dir",
                exit_code=ExitCode.CONFIGURATION,
            )


def prepare_process() -> None:
    """Set what every process of the gateway inherits: private files, no core dumps, enough descriptors."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a smaller limit than we hoped for is still a limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
