import io
import re

import pytest
import structlog

from nbgate.log import configure_log, plain


@pytest.fixture
def stream():
    yield io.StringIO()
    structlog.reset_defaults()


@pytest.fixture
def log(stream):
    configure_log("info", stream)
    return structlog.get_logger("nbgate.keeper")


def test_a_message_is_one_line_of_words_and_values(log, stream):
    log.info("upstream changed", route="nb", hint="say why", empty="", sum="a=b", count=3)
    found = re.fullmatch(
        r'[0-9TZ:.-]+ info    upstream changed route=nb hint="say why" empty="" sum="a=b" count=3\n', stream.getvalue()
    )
    assert found


def test_less_than_the_level_is_not_said(log, stream):
    log.debug("detail")
    log.warning("trouble")
    assert "trouble" in stream.getvalue()
    assert "detail" not in stream.getvalue()


def test_an_exception_is_named_with_its_places_and_without_its_texts(log, stream):
    def fail(password):
        raise ValueError(f"bad {password}")

    try:
        fail("5ecre7")
    except ValueError:
        log.exception("request failed", id="abc")
    text = stream.getvalue()
    assert "exception=ValueError at=" in text
    assert "test_log.py:" in text
    assert "5ecre7" not in text
    assert 1 == text.count("\n")


def test_an_exception_can_be_given(log, stream):
    log.error("lost", exc_info=RuntimeError("x"))
    log.error("nothing", exc_info=False)
    assert 1 == stream.getvalue().count("exception=RuntimeError")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\nb\x1b[31m\x00", "a\\nb\\x1b[31m\\x00"),
        ("\u202e\U0001f600é", "\\u202e\\U0001f600\\xe9"),
        ('"\\', '\\"\\\\'),
        (7, "7"),
        ("x" * 2000, "x" * 1024),
    ],
)
def test_no_terminal_obeys_a_value(value, expected):
    assert expected == plain(value)


def test_stderr_is_where_messages_go(capsys):
    configure_log("info")
    structlog.get_logger().info("hello")
    structlog.reset_defaults()
    assert "hello" in capsys.readouterr().err
