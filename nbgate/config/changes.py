"""What differs between two configurations, for whoever reloads one.

Pure. No option is a secret (secrets stand in files of their own), so every value may be shown. What a change takes to
come into force is not said here.
"""

from msgspec import Struct

from nbgate.config.options import all_options, value_in, written
from nbgate.config.schema import Config
from nbgate.config.tables import ROUTE


class Change(Struct, frozen=True):
    """One option with another value than before, both as TOML writes them."""

    option: str
    old: str
    new: str


def changes(old: Config, new: Config) -> tuple[Change, ...]:
    """Return the options whose values differ, in the order of the schema; then the [[route]]s that do."""
    values = [(key, value_in(old, key), value_in(new, key)) for key in all_options()]
    both = {*old.route} & {*new.route}
    before, after = (tuple(route for route in config.route if route not in both) for config in (old, new))
    values.append((ROUTE, before, after))
    return tuple(Change(key, written(before), written(after)) for key, before, after in values if before != after)
