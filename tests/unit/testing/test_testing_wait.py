"""Waiting for others."""

import pytest

from nbgate.testing.wait import wait_until


def test_what_is_seen_is_returned():
    seen = iter([None, 0, "", "there"])
    assert "there" == wait_until(lambda: next(seen), what="the word")


def test_what_is_missing_is_named():
    with pytest.raises(TimeoutError, match=r"not within 0\.01 s: the word"):
        wait_until(lambda: None, what="the word", deadline_seconds=0.01)
