"""Put the configuration together: flags over environment over file over default, each value with its origin.

Pure: the file's text and the environment's values are handed in (`nbgate.config_file` reads them).
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import msgspec
from msgspec import Struct

from nbgate.config.addresses import AddressError, parse_listen_ip, parse_upstream
from nbgate.config.check import Finding, flatten, judge_option, option_types
from nbgate.config.lines import lines_of
from nbgate.config.schema import Config
from nbgate.errors import ConfigError, ExitCode, Problem

DEFAULT = "default"
ENVIRONMENT = {"NBGATE_DATA_DIR": "data_dir"}
SYSTEM_DATA_DIR = "/var/lib/nbgate"
_PATHS = ("cert", "key", "data_dir", "upstream_token_file")
_POSITION = re.compile(r" \(at line (\d+), column \d+\)$| \(at end of document\)$")


class Source(Struct, frozen=True, kw_only=True):
    """Where a configuration comes from; JSON, so that the keeper can load it again.

    Attributes:
        config: Path of the TOML file, "" for none.
        named_by: What named that file, `--config` or `NBGATE_CONFIG`.
        flags: Options given on the command line, by their names in the schema.
        environ: The variables of the environment that matter (see `nbgate.config_file`).
        folder: The current folder, absolute; relative paths of flags and variables begin there.
        is_root: Whether nbgate runs as root.
    """

    config: str = ""
    named_by: str = "--config"
    flags: dict[str, str | int | bool] = {}
    environ: dict[str, str] = {}
    folder: str = "/"
    is_root: bool = False


class Loaded(Struct, frozen=True, kw_only=True):
    """A configuration that holds together.

    Attributes:
        config: All values; paths are absolute, `data_dir` is never empty.
        origins: For every option `default`, the flag, the variable, or `FILE:LINE`.
        path: The file it came from, "" for none.
    """

    config: Config
    origins: dict[str, str]
    path: str = ""


class _Value(Struct, frozen=True):
    value: Any
    origin: str
    folder: str  # where its relative paths begin
    is_flag: bool = False


def flag_of(key: str) -> str:
    """Return the flag that sets the option `key`, for example `--data-dir`."""
    return f"--{key.replace('_', '-')}"


def build_config(source: Source, text: str = "") -> Loaded:
    """Return the configuration.

    Args:
        source: Flags, environment, and the path of the file.
        text: The content of the file.

    Raises:
        ConfigError: All that is wrong, each with its place and a hint; exit code 2 when only flags are wrong, else 78.
    """
    values = _file_values(source, text) | _environment_values(source) | _flag_values(source)
    findings = [(value, finding) for key, value in values.items() if (finding := _judge(key, value.value))]
    if findings:
        flags_alone = all(value.is_flag for value, _ in findings)
        raise ConfigError(
            tuple(_problem(value, finding) for value, finding in findings),
            ExitCode.USAGE if flags_alone else ExitCode.CONFIGURATION,
        )
    origins = dict.fromkeys(option_types(), DEFAULT) | {key: value.origin for key, value in values.items()}
    return Loaded(config=_convert(values, source), origins=origins, path=source.config)


def _file_values(source: Source, text: str) -> dict[str, _Value]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((_syntax_problem(source.config, text, error),)) from error
    values = dict(flatten(table))
    lines = lines_of(text) if values else {}
    folder = str(PurePath(source.folder, source.config).parent)
    return {key: _Value(value, f"{source.config}:{lines[key]}", folder) for key, value in values.items()}


def _syntax_problem(path: str, text: str, error: tomllib.TOMLDecodeError) -> Problem:
    """Python 3.11 says where only in the text of the error."""
    position = _POSITION.search(str(error))
    line = (position and position[1]) or str(text.count("\n") + 1)
    said = _POSITION.sub("", str(error))
    return Problem(f"{path}:{line}", f"not TOML: {said[:1].lower()}{said[1:]}", 'values of text need quotes: ip = "*"')


def _environment_values(source: Source) -> dict[str, _Value]:
    return {
        key: _Value(source.environ[name], name, source.folder)
        for name, key in ENVIRONMENT.items()
        if source.environ.get(name)
    }


def _flag_values(source: Source) -> dict[str, _Value]:
    return {key: _Value(value, flag_of(key), source.folder, is_flag=True) for key, value in source.flags.items()}


def _judge(key: str, value: Any) -> Finding | None:
    finding = judge_option(key, value)
    if finding is None:
        try:
            if key == "upstream" and value:
                parse_upstream(value)
            elif key == "ip":
                parse_listen_ip(value)
        except AddressError as error:
            return Finding(key, str(error), error.hint)
    return finding


def _problem(value: _Value, finding: Finding) -> Problem:
    if value.is_flag:
        return Problem(value.origin, finding.text, finding.hint)
    return Problem(value.origin, f"{finding.key}: {finding.text}", finding.hint)


def _convert(values: Mapping[str, _Value], source: Source) -> Config:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *tables, name = key.split(".")
        table = nested
        for part in tables:
            table = table.setdefault(part, {})
        is_path = key in _PATHS and value.value != ""
        table[name] = _absolute(value.value, value.folder, source) if is_path else value.value
    if not nested.get("data_dir"):
        nested["data_dir"] = default_data_dir(source)
    if nested.get("ip"):
        nested["ip"] = parse_listen_ip(nested["ip"])
    return msgspec.convert(nested, Config, strict=True)


def _absolute(path: str, folder: str, source: Source) -> str:
    """A relative path of the file begins at the file's folder, one of a flag where the command was typed."""
    home = source.environ.get("HOME", "")
    if home and (path == "~" or path.startswith("~/")):
        path = home + path[1:]
    return str(PurePath(source.folder, folder, path))


def default_data_dir(source: Source) -> str:
    """Return the folder for everything nbgate writes: the system's for root, else the person's state folder."""
    if source.is_root:
        return SYSTEM_DATA_DIR
    state = source.environ.get("XDG_STATE_HOME", "")
    if not state.startswith("/"):  # the XDG specification: relative ones are to be ignored
        state = f"{source.environ.get('HOME', '')}/.local/state"
    return str(PurePath(state, "nbgate"))


def require_upstream(loaded: Loaded) -> None:
    """Check what serving needs beyond what every command needs.

    Raises:
        ConfigError: There is no upstream (2 without a configuration file, else 78), or a key without its certificate.
    """
    problems = []
    if not loaded.config.upstream:
        problems.append(
            Problem(loaded.path, "no upstream: where is the notebook server?", "nbgate --upstream localhost:8888")
        )
    if loaded.config.key and not loaded.config.cert:
        problems.append(
            Problem(loaded.origins["key"], "a key without a certificate", "give its certificate with --cert")
        )
    if problems:
        raise ConfigError(tuple(problems), ExitCode.CONFIGURATION if loaded.path else ExitCode.USAGE)
