import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.rewrite.page_config import edit_config


def blank(key: str, value: str) -> str:
    return "" if key == "token" else value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"token": "x"}', b'{"token": ""}'),
        (b' \n{ "a" :\t"b" ,"token"\n:\n"x" } \n', b' \n{ "a" :\t"b" ,"token"\n:\n"" } \n'),
        (b'{"a": {"token": "x"}, "token": "x"}', b'{"a": {"token": "x"}, "token": ""}'),
        (b'{"a": ["token", {"token": "x"}], "token": "x"}', b'{"a": ["token", {"token": "x"}], "token": ""}'),
        (b'{"a": "}{\\"][", "token": "\\"x\\\\"}', b'{"a": "}{\\"][", "token": ""}'),
        (b'{"\\u0074oken": "x"}', b'{"\\u0074oken": ""}'),
        (b'{"token": 1, "token": null, "token": ["x"]}', b'{"token": 1, "token": null, "token": ["x"]}'),
        (b'{"token": ""}', b'{"token": ""}'),
        (b'{"token": "x', b'{"token": "x'),
        (b'["token", "x"]', b'["token", "x"]'),
        (b'"token": "x"', b'"token": "x"'),
        (b"", b""),
        (b"\xff", b"\xff"),
    ],
)
def test_a_string_of_the_outermost_object_is_edited_and_nothing_else(before: bytes, after: bytes) -> None:
    assert after == edit_config(before, blank)


def test_what_is_written_can_end_neither_string_nor_script() -> None:
    text = "\"</script><!--\u2028'&\u00e9"
    written = edit_config(b'{"a": "b"}', lambda _key, _value: text)
    assert json.loads(written) == {"a": text}
    assert written.isascii()
    assert not set(b"<>&'") & set(written)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text() | st.just("token"), VALUES), st.booleans(), st.sampled_from([None, 1]))
def test_json_stays_json_with_the_token_blank(config: dict[str, object], ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(config, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    expected = config | ({"token": ""} if isinstance(config.get("token"), str) else {})
    assert expected == json.loads(edit_config(text, blank).decode("utf-8", "surrogatepass"))
