"""Where a TOML file says something."""

import pytest

from nbgate.config.lines import lines_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# nothing\n\n", {}),
        ("a = 1\n\n# b\nb = 2", {"a": 1, "b": 4}),
        ("[t]\nx = 1\n[t.u]\ny = 2\n", {"t": 1, "t.x": 2, "t.u": 3, "t.u.y": 4}),
        ("t = {x = 1, y = 2}\n", {"t": 1, "t.x": 1, "t.y": 1}),
        ('a = """\nb = 1\n"""\nc = 3\n', {"a": 1, "c": 4}),
        ("a = [\n  1,\n  2,\n]\nc = 3\n", {"a": 1, "c": 5}),
        ("t.x = 1\nt.y = 2\n", {"t": 1, "t.x": 1, "t.y": 2}),
        ('"t.x" = 1\nt.x = 2\n', {'"t.x"': 1, "t": 2, "t.x": 2}),
        ("a = 1\r\nb = 2\r\n", {"a": 1, "b": 2}),
    ],
)
def test_every_key_is_found_where_its_statement_begins(text, expected):
    assert expected == lines_of(text)
