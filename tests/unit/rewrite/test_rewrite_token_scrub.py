import pytest

from nbgate.rewrite.token_scrub import TokenGuard, names_token

TOKEN = "abcabd0123456789"


@pytest.mark.parametrize(
    ("token", "watches"),
    [
        ("", False),
        ("x", False),
        ("jupyter", False),
        ("notebook", False),
        ("jupyterlab", False),
        ("aVeryLongWordOfLetters", True),
        ("pass-12", False),
        ("pass-123", True),
        ("SEKRETTOK123", True),
        ("0123456789abcdef", True),
    ],
)
def test_what_stands_in_pages_by_chance_is_not_looked_for(token: str, watches: bool) -> None:
    guard = TokenGuard(token)
    assert watches == guard.watches
    assert (b"" if watches else b"a" + token.encode()) == guard.feed(b"a" + token.encode())
    assert watches == guard.leaked


@pytest.mark.parametrize(
    ("token", "spelled"),
    [
        ("k&y<1>'\"2", b"k&y<1>'\"2"),
        ("k&y<1>'\"2", b"k&amp;y&lt;1&gt;&#x27;&quot;2"),
        ("k&y<1>'\"2", b"k&amp;y&lt;1&gt;'\"2"),
        ("k&y<1>/'\"2", b"k%26y%3C1%3E%2F%27%222"),
        ("k&y<1>/'\"2", b"k%26y%3C1%3E/%27%222"),
        ("k&y<1>'\"2", b"k&y<1>'\\\"2"),
        ("sch\u00fcssel-1", "sch\u00fcssel-1".encode()),
    ],
)
def test_the_token_is_seen_in_every_spelling_of_a_page(token: str, spelled: bytes) -> None:
    for cut in range(len(spelled) + 1):
        guard = TokenGuard(token)
        out = guard.feed(b"<" + spelled[:cut]) + guard.feed(spelled[cut:] + b">") + guard.finish()
        assert guard.leaked
        assert out in {b"", b"<"}


def test_only_what_could_be_a_beginning_is_held_back() -> None:
    guard = TokenGuard(TOKEN)
    assert guard.feed(b"xabcab") == b"x"
    assert guard.feed(b"") == b""
    assert guard.feed(b"cab") == b"abc"
    assert guard.feed(b"d012345678") == b""
    assert guard.feed(b"8") == b"abcabd0123456788"
    assert guard.feed(b"abc") == b""
    assert guard.finish() == b"abc"
    assert guard.finish() == b""
    assert not guard.leaked


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"Location: /lab?token=abc123def+456\r\n", True),
        (b"Location: /lab?token=abc123def%2B456\r\n", True),
        (b"Location: /lab?token=abc123def%2b456\r\n", True),
        (b"Location: /lab?token=%61bc123def%2b4%356\r\n", True),
        (b"Location: /lab?token=abc123def%252b456\r\n", False),
        (b"Location: /lab?token=abc123def\r\n", False),
    ],
)
def test_a_head_names_the_token_in_whatever_spelling_of_an_address(head: bytes, expected: bool) -> None:
    assert expected == names_token(head, "abc123def+456")
