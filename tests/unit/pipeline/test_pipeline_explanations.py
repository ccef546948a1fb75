"""Every reason has a title and a sentence."""

import pytest

from nbgate.pipeline.explanations import explain
from nbgate.reasons import Reason


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_title_and_a_sentence(reason):
    title, text = explain(reason)
    assert title == title.strip() != ""
    assert not title.endswith(".")
    assert text.endswith(".")
    assert text.isascii()
    assert "  " not in text


@pytest.mark.parametrize(
    ("reason", "title"),
    [
        (Reason.UPSTREAM_REFUSED, "The notebook server is not running"),
        (Reason.KEEPER_UNAVAILABLE, "One moment"),
        (Reason.BAD_CHUNK, "Refused"),
    ],
)
def test_titles(reason, title):
    assert title == explain(reason)[0]
