import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.rewrite.json_strings import Path, edit_strings


def seen(text: bytes, max_depth: int = 9) -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []

    def note(path: Path, value: str) -> str:
        found.append((path, value))
        return value

    assert text == edit_strings(text, note, max_depth=max_depth)
    return found


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (b'{"a": "b"}', [(("a",), "b")]),
        (b'{"a": {"b": "c"}, "d": "e"}', [(("a", "b"), "c"), (("d",), "e")]),
        (b'{"a": [{"b": "c"}, "x", ["y", {"d": "e"}]]}', [(("a", None, "b"), "c"), (("a", None, None, "d"), "e")]),
        (b'{"a": 1, "b": "c", "d": {"x": 2}, "e": "f"}', [(("b",), "c"), (("e",), "f")]),
        (b'[1, "a", {"b": "c"}]', [((None, "b"), "c")]),
        (b'["a": "b"]', []),
        (b'"a": "b"', []),
        (b'}]{"a": "b"}', [(("a",), "b")]),
        (b'{"\\u0061": "\\u0062"}', [(("a",), "b")]),
        (b'{"bad\\x": "b"}', [(("",), "b")]),
        (b'{"a": "bad\\x"}', []),
        (b'{"a" "b" "c"}', []),
        (b'{"a": "b', []),
        (b"", []),
    ],
)
def test_each_value_of_an_object_is_asked_for_by_its_path(text: bytes, paths: list[tuple[Path, str]]) -> None:
    assert paths == seen(text)


def test_what_lies_deeper_is_not_asked_for() -> None:
    assert [(("d",), "e")] == seen(b'{"a": {"b": "c"}, "d": "e"}', max_depth=1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def marked(value: object) -> object:
    """Return `value` with each string that is the value of a key doubled."""
    if isinstance(value, dict):
        return {key: 2 * item if isinstance(item, str) else marked(item) for key, item in value.items()}
    return [marked(item) for item in value] if isinstance(value, list) else value


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_json_stays_json_and_every_value_is_found(value: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    edited = edit_strings(text, lambda _path, found: 2 * found, max_depth=99)
    assert marked(value) == json.loads(edited.decode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
def test_any_bytes_come_out_as_they_went_in(text: bytes) -> None:
    assert text == edit_strings(text, lambda _path, value: value, max_depth=9)
