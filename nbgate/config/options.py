"""What each option is, read from the schema: its key, kind, range, default, and the other ways to set it.

Pure. It says nothing about values somebody gave; help, reference pages and the default file are made from this.
"""

from collections.abc import Mapping
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, structs
from msgspec.structs import FieldInfo

from nbgate.config.check import option_types
from nbgate.config.kinds import documentation, in_words
from nbgate.config.schema import Config, RouteOptions
from nbgate.config.tables import ROUTE, route_types

ENVIRONMENT_PREFIX = "NBGATE_"
# What is decided once belongs into a file; and a value of totp_window, such as -1,0, would look like a flag itself.
WITHOUT_FLAG = frozenset({"shared_origin", "totp_window"})


class Option(Struct, frozen=True, kw_only=True):
    """One option.

    Attributes:
        key: Its dotted key, for example `limits.head_bytes`.
        kind: What its values are, in words, for example `an integer from 0 to 65535`.
        default: The default, as TOML writes it; "" where there is none.
        text: Its one line of documentation.
        variable: The variable of the environment that sets it; "" where there is none: for those of a [[route]].
        flag: The flag that sets it; "" where there is none: for options in tables, and `WITHOUT_FLAG`.
    """

    key: str
    kind: str
    default: str
    text: str
    variable: str
    flag: str


@cache
def all_options() -> Mapping[str, Option]:
    """Return every option by its key, in the order of the schema."""
    return {
        key: Option(
            key=key,
            kind=in_words(kind),
            default=written(default_of(key)),
            text=documentation(kind),
            variable=variable_of(key),
            flag="" if "." in key or key in WITHOUT_FLAG else flag_of(key),
        )
        for key, kind in option_types().items()
    }


@cache
def route_options() -> Mapping[str, Option]:
    """Return every option of a [[route]] by its key, for example `route.at`, in the order of the schema."""
    defaults = {field.name: field.default for field in structs.fields(RouteOptions)}
    return {
        f"{ROUTE}.{name}": Option(
            key=f"{ROUTE}.{name}",
            kind=in_words(kind),
            default="" if defaults[name] in {NODEFAULT, None, ()} else written(defaults[name]),
            text=documentation(kind),
            variable="",
            flag="",
        )
        for name, kind in route_types().items()
    }


def flag_of(key: str) -> str:
    """Return the flag that sets the option `key`, for example `--data-dir`."""
    return f"--{key.replace('_', '-')}"


def variable_of(key: str) -> str:
    """Return the variable that sets the option `key`, for example `NBGATE_LIMITS__HEAD_BYTES`."""
    return ENVIRONMENT_PREFIX + key.replace(".", "__").upper()


def default_of(key: str) -> Any:
    """Return the default of the option `key`."""
    return value_in(Config(), key)


def value_in(config: Config, key: str) -> Any:
    """Return the value of the option `key` in `config`."""
    return attrgetter(key)(config)


def written(value: Any) -> str:
    """Return `value` as TOML writes it: the strings, numbers, booleans and lists of options look as in JSON.

    Of a [[route]] it says what is not the default, on one line.
    """
    if isinstance(value, RouteOptions):
        said = [(field.name, getattr(value, field.name)) for field in structs.fields(value) if _is_said(field, value)]
        return f"{{{', '.join(f'{name} = {written(one)}' for name, one in said)}}}"
    if isinstance(value, tuple) and value and isinstance(value[0], RouteOptions):
        return f"[{', '.join(map(written, value))}]"
    return msgspec.json.encode(value).decode()


def help_of(key: str) -> str:
    """Return what the help page says of the flag that sets `key`."""
    default = default_of(key)
    shown = "" if default in {"", ()} or isinstance(default, bool) else f" Default: {default}."
    return all_options()[key].text + shown


def _is_said(field: FieldInfo, route: RouteOptions) -> bool:
    return field.required or getattr(route, field.name) != field.default
