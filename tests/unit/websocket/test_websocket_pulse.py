"""A pulse: silence is asked, silence after that is the end, and any byte begins anew."""

import math

from nbgate.websocket.pulse import Pulse

PING, SILENCE = 30.0, 60.0


def test_a_silent_end_is_asked_after_a_while():
    pulse = Pulse(100.0, PING, SILENCE)
    assert (130.0, False) == (pulse.due, pulse.is_asked)
    pulse.heard = 120.0
    assert (150.0, False) == (pulse.due, pulse.is_asked)


def test_the_time_to_answer_begins_with_the_question():
    """A frame under way may delay the ping; the machine may have slept."""
    pulse = Pulse(100.0, PING, SILENCE)
    pulse.asked(500.0)
    assert (560.0, True) == (pulse.due, pulse.is_asked)


def test_any_byte_is_an_answer_and_begins_anew():
    pulse = Pulse(100.0, PING, SILENCE)
    for heard in (130.0, 131.0):  # an answer may come in the same millisecond
        pulse.asked(130.0)
        pulse.heard = heard
        assert (heard + PING, False) == (pulse.due, pulse.is_asked)


def test_zero_asks_never():
    assert math.inf == Pulse(100.0, 0.0, SILENCE).due
