"""Errors carry what a page, a log line and an exit code need, and nothing private."""

import pytest

from nbgate.errors import (
    ConfigError,
    ExitCode,
    FrameError,
    Problem,
    ProtocolError,
    StartError,
    UpstreamProtocolError,
    told,
)
from nbgate.reasons import Reason


@pytest.mark.parametrize(
    ("error", "status", "public"),
    [
        (ProtocolError(Reason.BAD_HOST), 400, "bad-host"),
        (ProtocolError(Reason.LINE_TOO_LONG, 414), 414, "line-too-long"),
        (UpstreamProtocolError(Reason.UPSTREAM_BAD_RESPONSE), 502, "upstream-bad-response"),
        (FrameError(Reason.WEBSOCKET_FRAME, 1002), 500, "websocket-frame"),
    ],
)
def test_an_error_knows_its_status_and_its_public_text(error, status, public):
    assert (status, public) == (error.status, error.public)


def test_a_configuration_error_holds_every_problem():
    error = ConfigError((Problem("a.toml:3", "no such option"), Problem("", "ip is no address", "try 127.0.0.1")))
    assert "a.toml:3: no such option; ip is no address" == str(error)
    assert ExitCode.CONFIGURATION == error.exit_code


def test_a_start_error_says_of_which_kind_the_obstacle_is():
    assert ExitCode.TRY_AGAIN == StartError("in use", exit_code=ExitCode.TRY_AGAIN).exit_code


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (StartError("held"), ["nbgate: held"]),
        (StartError("held", hint="end it"), ["nbgate: held", "  hint: end it"]),
        (
            ConfigError((Problem("f:1", "unknown option", "did you mean port?"), Problem("", "no upstream"))),
            ["nbgate: f:1: unknown option", "  hint: did you mean port?", "nbgate: no upstream"],
        ),
    ],
)
def test_an_error_is_told_with_all_that_is_wrong_and_its_hints(error, lines):
    assert lines == told(error)
