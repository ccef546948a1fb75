"""What helps, in the words of how a server was named."""

import re

import pytest
from msgspec import structs

from nbgate.config.options import all_options
from nbgate.config.tables import route_types
from nbgate.keeper.hints import BY_FLAGS, BY_REQUEST, BY_TABLE

FLAG = re.compile(r"--([a-z-]+)")


@pytest.mark.parametrize("name", ["open", "lost", "unknown", "password", "refused"])
def test_each_way_to_name_a_server_has_words_of_its_own(name):
    by_flags, by_table, by_request = (getattr(hints, name) for hints in (BY_FLAGS, BY_TABLE, BY_REQUEST))
    assert {flag.replace("-", "_") for flag in FLAG.findall(by_flags)} <= set(all_options())
    assert FLAG.search(by_flags)
    assert [] == FLAG.findall(by_table)
    assert set(re.findall(r"\b[a-z]+_[a-z]+\b", by_table)) <= set(route_types())
    assert "[[route]]" in by_table
    assert "nbgate routes add" in by_request


def test_they_are_texts_for_people():
    for hints in (BY_FLAGS, BY_TABLE, BY_REQUEST):
        assert all(text and not text.endswith(".") for text in structs.astuple(hints))
