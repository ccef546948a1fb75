"""Every harness holds for its seeds, and for seeds that were cut and mixed; atheris is not needed for that."""

import random

import judges
import pytest
from judges import JUDGES
from seeds import seeds, words

from nbgate.http.framing import ChunkedBody

ROUNDS = 200


def spoilt(draw, inputs, parts):
    """Return an input made of two: cut, joined, and a byte or a word of it changed."""
    one, two = draw.choice(inputs), draw.choice(inputs)
    data = bytearray(one[: draw.randrange(len(one) + 1)] + two[draw.randrange(len(two) + 1) :])
    for _ in range(draw.randrange(4)):
        at = draw.randrange(len(data) + 1)
        data[at : at + draw.randrange(3)] = draw.choice((bytes([draw.randrange(256)]), draw.choice(parts), b""))
    return bytes(data)


@pytest.mark.parametrize("name", JUDGES)
def test_every_seed_holds(name):
    assert seeds(name)
    for data in seeds(name):
        JUDGES[name](data)


@pytest.mark.parametrize("name", JUDGES)
def test_spoilt_seeds_hold(name):
    draw, inputs, parts = random.Random(name), seeds(name), words()
    for _ in range(ROUNDS):
        JUDGES[name](spoilt(draw, inputs, parts))


class Forgetful(ChunkedBody):
    """A reader that loses what came at the end of a piece, as careless ones do."""

    def feed(self, data):
        payload, rest, finished = super().feed(data)
        return (payload[:-1] if len(data) == 1 else payload), rest, finished


def test_a_fault_in_a_reader_is_found(monkeypatch):
    monkeypatch.setattr(judges, "ChunkedBody", Forgetful)
    with pytest.raises(AssertionError):
        all(JUDGES["body"](data) is None for data in seeds("body"))
