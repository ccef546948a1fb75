"""The reference page says of the options what the schema says; where they differ, the test prints the right table."""

from pathlib import Path
from typing import get_args

import msgspec
from msgspec import Meta

from nbgate.config.check import option_types
from nbgate.config.schema import Config
from nbgate.keeper.reload import NEEDS_RESTART

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")


def default_of(key):
    value = Config()
    for part in key.split("."):
        value = getattr(value, part)
    return msgspec.json.encode(value).decode()


def meaning_of(kind):
    (text,) = (note.description for note in get_args(kind)[1:] if isinstance(note, Meta))
    return text.rstrip(".")


def table():
    rows = [f"| `{key}` | `{default_of(key)}` | {meaning_of(kind)} |" for key, kind in option_types().items()]
    return "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows, ""])


def test_every_option_is_on_the_page_with_its_default_and_its_meaning():
    assert table() in PAGE, table()


def test_what_needs_a_restart_is_on_the_page():
    (sentence,) = (part for part in PAGE.split("\n\n") if "need a restart" in part)
    assert [] == [name for name in NEEDS_RESTART if f"`{name}`" not in sentence]
