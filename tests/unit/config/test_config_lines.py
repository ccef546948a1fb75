"""Where a TOML file says something."""

import tomllib

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
        (
            "[[r]]\nx = 1\n\n[[r]]\n# y\ny = 2\nx = 3",
            {"r": 1, "r[0]": 1, "r[0].x": 2, "r[1]": 4, "r[1].y": 6, "r[1].x": 7},
        ),
        ("r = [{x = 1},\n {x = 2}]", {"r": 1, "r[0]": 1, "r[0].x": 1, "r[1]": 1, "r[1].x": 1}),
        ('[[r]]\n"x.y" = 1\n[r.t]\nz = [1, 2]', {"r": 1, "r[0]": 1, 'r[0]."x.y"': 2, "r[0].t": 3, "r[0].t.z": 4}),
        (
            "[[r]]\n[[r.s]]\nx = 1\n[[r.s]]\n[[r]]\n[[r.s]]\nx = 1",
            {
                "r": 1,
                "r[0]": 1,
                "r[0].s": 2,
                "r[0].s[0]": 2,
                "r[0].s[0].x": 3,
                "r[0].s[1]": 4,
                "r[1]": 5,
                "r[1].s": 6,
                "r[1].s[0]": 6,
                "r[1].s[0].x": 7,
            },
        ),
        ('a = "\u2028"\nb = 2', {"a": 1, "b": 2}),
        ('a = [\n  "[x]",\n  "]",\n]\n[t]\nb = """\n[no]\nc = 1"""\nd = 1', {"a": 1, "t": 5, "t.b": 6, "t.d": 9}),
        ("a = '''\n]\n}\n\"\"\"\n'''\nb = 1", {"a": 1, "b": 6}),
        ("  [t] # [u]\n  x = 1", {"t": 1, "t.x": 2}),
        ("a = 1\r\nb = 2\r\n", {"a": 1, "b": 2}),
    ],
)
def test_every_key_is_found_where_its_statement_begins(text, expected):
    assert expected == lines_of(text)


def test_a_file_of_thousands_of_routes_is_no_labour():
    """Each line is handed to the parser with no more than its own header."""
    text = "".join(f'[[route]]\nat = "/{number}/"\nupstream = "localhost:1"\n\n' for number in range(5000))
    given = 0

    def loads(piece):
        nonlocal given
        given += len(piece)
        return tomllib.loads(piece)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbgate.config.lines.tomllib", type("Counting", (), {**vars(tomllib), "loads": loads}))
        found = lines_of(text)

    assert (4 * 4999 + 1, 4 * 4999 + 2) == (found["route[4999]"], found["route[4999].at"])
    assert given < 3 * len(text)
