"""Header tables answer by whole names and by prefixes, the same for frequent names and for all others."""

import pytest

from nbgate.http.headers import Handling, make_tables, split_list

TABLES = make_tables(
    methods=frozenset({"GET"}),
    refused=frozenset({"x-bad"}),
    stripped=(frozenset({"via", "pragma"}), ("x-forwarded", "proxy-")),
    upstream_stripped=(frozenset({"server"}), ("access-control-",)),
)


@pytest.mark.parametrize(
    ("spelled", "name", "handling"),
    [
        (b"Accept", "accept", Handling.FORWARDED),
        (b"ACCEPT", "accept", Handling.FORWARDED),
        (b"X-Anything", "x-anything", Handling.FORWARDED),
        (b"If-None-Match", "if-none-match", Handling.CONDITIONAL),
        (b"IF-RANGE", "if-range", Handling.CONDITIONAL),
        (b"Host", "host", Handling.DROPPED),
        (b"HOST", "host", Handling.DROPPED),
        (b"Cookie", "cookie", Handling.DROPPED),
        (b"Sec-WebSocket-Key", "sec-websocket-key", Handling.DROPPED),
        (b"Pragma", "pragma", Handling.DROPPED),
        (b"X-Forwarded-For", "x-forwarded-for", Handling.DROPPED),
        (b"proxy-authorization", "proxy-authorization", Handling.DROPPED),
    ],
)
def test_every_spelling_of_a_name_is_handled_alike(spelled, name, handling):
    assert (name, handling) == TABLES.handle(spelled)
    assert TABLES.frequent.get(spelled, (name, handling)) == (name, handling)


@pytest.mark.parametrize(
    ("name", "stripped"),
    [("server", True), ("access-control-allow-origin", True), ("content-type", False), ("via", False)],
)
def test_response_headers_are_stripped_by_their_own_table(name, stripped):
    assert stripped is TABLES.strips_response(name)


@pytest.mark.parametrize(
    ("value", "elements"),
    [("", []), ("a", ["a"]), (" a ,\tb,,", ["a", "b"]), (",", [])],
)
def test_a_list_has_no_empty_elements(value, elements):
    assert elements == split_list(value)
