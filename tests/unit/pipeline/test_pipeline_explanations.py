"""Every reason has a title and a sentence."""

import pytest

from nbgate.pipeline.explanations import explain, explain_down, explain_to
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


@pytest.mark.parametrize(
    "reason",
    [
        Reason.NOT_ALLOWED,
        Reason.ROLE,
        Reason.SECOND_FACTOR_REQUIRED,
        Reason.TOKEN_INVALID,
        Reason.TOKEN_SCOPE,
        Reason.TOKEN_WITH_COOKIE,
        Reason.SESSION_REUSED,
        Reason.LOCKED_DOWN,
    ],
)
def test_what_a_login_or_a_token_may_not_is_told_in_its_own_words(reason):
    assert explain(Reason.BAD_CHUNK) != explain(reason)


@pytest.mark.parametrize(
    ("contact", "end"),
    [("", "on its list."), ("the owners: ada, bob", "on its list. Ask the owners: ada, bob.")],
)
def test_whom_to_ask_is_said_where_there_is_somebody(contact, end):
    assert explain_to(Reason.NOT_ALLOWED, contact, "/_nbgate").endswith(end)


@pytest.mark.parametrize("own", ["/_nbgate", "/ipython/_nbgate"])
@pytest.mark.parametrize(
    ("reason", "address"), [(Reason.ROLE, "/account."), (Reason.SECOND_FACTOR_REQUIRED, "/account/totp;")]
)
def test_our_own_pages_are_named_where_they_are(reason, address, own):
    assert f" {own}{address}" in explain_to(reason, "", own)
    assert explain_to(reason, "", own) == explain(reason, own)[1]


@pytest.mark.parametrize("reason", list(Reason))
def test_nothing_is_left_to_fill_in(reason):
    assert "{" not in explain(reason)[1]


def test_when_a_server_answered_last_is_said_where_it_is_known():
    assert "It last answered at 02:13 UTC, 1 hour ago. Start it; this page reloads by itself." == explain_down(
        1_700_014_400.0, 1_700_018_000.0
    )
    assert "" == explain_down(0.0, 1_700_018_000.0)
