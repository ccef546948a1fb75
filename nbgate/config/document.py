"""Put the configuration together: flags over environment over profile over file over default, each with its origin.

Pure: the files' texts and the environment's values are handed in (`nbgate.config_file` reads them).
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

import msgspec
from msgspec import Struct, structs

from nbgate.config.addresses import AUTO, parse_listen_ip
from nbgate.config.allow import split_allow
from nbgate.config.check import LISTS, Finding, flatten, judge_option, judge_whole, option_types
from nbgate.config.folders import absolute, default_data_dir, profile_data_dir
from nbgate.config.kinds import value_of
from nbgate.config.lines import lines_of
from nbgate.config.names import parse_hosts, parse_networks
from nbgate.config.options import ENVIRONMENT_PREFIX, all_options, flag_of
from nbgate.config.routes import parse_pin
from nbgate.config.schema import Config
from nbgate.config.tables import ROUTE, in_one_spelling, judge_routes, with_paths
from nbgate.errors import ConfigError, ExitCode, Problem

DEFAULT = "default"
PATHS = ("cert", "key", "data_dir", "upstream_ca_file", "upstream_password_file", "upstream_token_file")
_POSITION = re.compile(r" \(at line (\d+), column \d+\)$| \(at end of document\)$")
_NUMBER = re.compile(r"\[\d+\]")
_OF_KUBERNETES = re.compile(r"NBGATE_(SERVICE|PORT)_")


class Source(Struct, frozen=True, kw_only=True):
    """Where a configuration comes from; JSON, so that the keeper can load it again.

    Attributes:
        config: Path of the TOML file, "" for the default one, if it is there.
        named_by: What named that file, `--config` or `NBGATE_CONFIG`.
        profile: Name of the profile, "" for none.
        flags: Options given on the command line, by their names in the schema.
        environ: The variables of the environment that matter (see `nbgate.config_file`).
        folder: The current folder, absolute; relative paths of flags and variables begin there.
        is_root: Whether nbgate runs as root.
    """

    config: str = ""
    named_by: str = "--config"
    profile: str = ""
    flags: dict[str, str | int | bool | list[str]] = {}
    environ: dict[str, str] = {}
    folder: str = "/"
    is_root: bool = False


class File(Struct, frozen=True, kw_only=True):
    """A configuration file that was read.

    Attributes:
        path: As it was named.
        text: Its content.
        is_profile: It is one profile's alone; what others say is said for all profiles.
    """

    path: str
    text: str
    is_profile: bool = False


class Loaded(Struct, frozen=True, kw_only=True):
    """A configuration that holds together.

    Attributes:
        config: All values; paths are absolute, `data_dir` is never empty, `upstream` is empty for `auto`.
        origins: For every option `default`, the flag, the variable, or `FILE:LINE`; for `route` that of the
            first one, and for `route[0]`, `route[0].at` and so on those of each.
        files: The files it came from, the strongest last.
    """

    config: Config
    origins: dict[str, str]
    files: tuple[str, ...] = ()


class _Value(Struct, frozen=True):
    value: Any
    origin: str
    folder: str  # where its relative paths begin
    is_flag: bool = False
    is_named: bool = False  # the origin alone says which option it is
    is_shared: bool = False  # said for all profiles
    origins: dict[str, str] = {}  # of each option of each table, where it is a list of them


_NOTHING = _Value((), "", "")


def build_config(source: Source, *files: File) -> Loaded:
    """Return the configuration.

    Args:
        source: Flags and environment.
        files: The configuration files, the strongest last.

    Raises:
        ConfigError: All that is wrong, each with its place and a hint; exit code 2 when only flags are wrong, else 78.
    """
    problems: list[Problem] = []
    values: dict[str, _Value] = {}
    for file in files:
        try:
            values |= _file_values(source, file)
        except ConfigError as error:
            problems += error.problems
    values |= _environment_values(source) | _flag_values(source)
    problems += _unknown_variables(source)
    wrong = [(value, finding) for key, value in values.items() for finding in _judge(key, value.value)]
    if not problems and not wrong:
        problems += _auto_beside_routes(values)
        config = _convert(values, source)
        wrong = [(values[finding.key.partition("[")[0]], finding) for finding in judge_whole(config)]
    if problems or wrong:
        flags_alone = not problems and all(value.is_flag for value, _ in wrong)
        raise ConfigError(
            (*problems, *(_problem(value, finding) for value, finding in wrong)),
            ExitCode.USAGE if flags_alone else ExitCode.CONFIGURATION,
        )
    origins = dict.fromkeys((*option_types(), *LISTS), DEFAULT) | {key: value.origin for key, value in values.items()}
    origins |= values[ROUTE].origins if ROUTE in values else {}
    return Loaded(config=config, origins=origins, files=tuple(file.path for file in files))


def _judge(key: str, value: Any) -> Iterator[Finding]:
    if key == ROUTE:
        yield from judge_routes(value)
    elif (finding := judge_option(key, value)) is not None:
        yield finding


def _auto_beside_routes(values: Mapping[str, _Value]) -> Iterator[Problem]:
    """Servers that are named have their places to themselves: what is found is mounted only where nothing is named."""
    if values.get(ROUTE, _NOTHING).value and AUTO in values.get("upstream", _NOTHING).value:
        yield _problem(
            values["upstream"],
            Finding(
                "upstream",
                "auto finds the running servers: it stands alone",
                "name all servers, or take away [[route]]",
            ),
        )


def _file_values(source: Source, file: File) -> dict[str, _Value]:
    try:
        table = tomllib.loads(file.text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((_syntax_problem(file, error),)) from error
    values = dict(flatten(table))
    if isinstance(values.get("upstream"), str):
        values["upstream"] = [values["upstream"]]  # one may stand without brackets
    lines = lines_of(file.text) if values else {}
    folder = str(PurePath(source.folder, file.path).parent)
    return {
        key: _Value(
            value,
            f"{file.path}:{lines[key]}",
            folder,
            is_shared=not file.is_profile,
            origins={part: f"{file.path}:{line}" for part, line in lines.items() if part.startswith(f"{ROUTE}[")}
            if key == ROUTE
            else {},
        )
        for key, value in values.items()
    }


def _syntax_problem(file: File, error: tomllib.TOMLDecodeError) -> Problem:
    """Python 3.11 says where only in the text of the error."""
    position = _POSITION.search(str(error))
    line = (position and position[1]) or str(file.text.count("\n") + 1)
    said = _POSITION.sub("", str(error))
    return Problem(
        f"{file.path}:{line}", f"not TOML: {said[:1].lower()}{said[1:]}", 'values of text need quotes: ip = "*"'
    )


def _environment_values(source: Source) -> dict[str, _Value]:
    """An empty variable is one that is not set."""
    return {
        key: _Value(_from_text(key, text), option.variable, source.folder, is_named=True)
        for key, option in all_options().items()
        if (text := source.environ.get(option.variable))
    }


def _unknown_variables(source: Source) -> Iterator[Problem]:
    known = {option.variable for option in all_options().values()}
    for name in source.environ:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            yield Problem(name, "unknown variable", _variable_hint(name, known))


def _variable_hint(name: str, known: set[str]) -> str:
    if _OF_KUBERNETES.match(name):
        return "Kubernetes sets it for a service of this name: write enableServiceLinks: false in the pod"
    endings = sorted(variable.removeprefix(ENVIRONMENT_PREFIX) for variable in known)
    close = get_close_matches(name.removeprefix(ENVIRONMENT_PREFIX), endings, n=1)
    if close:
        return f"did you mean {ENVIRONMENT_PREFIX}{close[0]}?"
    return f"nbgate config default lists all options; or: unset {name}"


def _flag_values(source: Source) -> dict[str, _Value]:
    return {
        key: _Value(_from_text(key, value), flag_of(key), source.folder, is_flag=True, is_named=True)
        for key, value in source.flags.items()
    }


def _from_text(key: str, value: Any) -> Any:
    if key == "allow":  # commas stand within an item too
        return [item for text in ([value] if isinstance(value, str) else value) for item in split_allow(text)]
    kind = option_types()[key]
    if isinstance(value, list) and key != "upstream":  # given more than once; the path of an upstream may hold a comma
        return [part for text in value for part in value_of(kind, text)]
    return value_of(kind, value) if isinstance(value, str) else value


def _problem(value: _Value, finding: Finding) -> Problem:
    """An option of a [[route]] is told by its line: how many were before it, nobody counts."""
    name = _NUMBER.sub("", finding.key)
    where = value.origins.get(finding.key, value.origin)
    return Problem(where, finding.text if value.is_named else f"{name}: {finding.text}", finding.hint)


def _convert(values: Mapping[str, _Value], source: Source) -> Config:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *tables, name = key.split(".")
        table = nested
        for part in tables:
            table = table.setdefault(part, {})
        table[name] = _with_absolute_paths(key, value, source)
    config = msgspec.convert(nested, Config, strict=True)
    return structs.replace(
        config,
        upstream=() if config.upstream == (AUTO,) else config.upstream,
        ip=parse_listen_ip(config.ip),
        hosts=parse_hosts(config.hosts),
        trusted_proxies=parse_networks(config.trusted_proxies),
        data_dir=_data_dir(config.data_dir, values.get("data_dir"), source),
        upstream_pin=parse_pin(config.upstream_pin),
        route=tuple(map(in_one_spelling, config.route)),
    )


def _with_absolute_paths(key: str, value: _Value, source: Source) -> Any:
    if key == ROUTE:
        return [with_paths(table, value.folder, source.environ) for table in value.value]
    if key in PATHS and value.value:
        return absolute(value.value, value.folder, source.environ)
    return value.value


def _data_dir(given: str, value: _Value | None, source: Source) -> str:
    """A profile has a data folder of its own, unless it, a variable or a flag names one."""
    path = given or default_data_dir(source.environ, is_root=source.is_root)
    if source.profile and (not given or value is None or value.is_shared):
        return profile_data_dir(path, source.profile)
    return path
