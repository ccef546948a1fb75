"""Routes, upstreams and what is known of them."""

import pytest

from nbgate.model.route import Upstream, UpstreamState


@pytest.mark.parametrize(
    ("upstream", "authority", "text"),
    [
        (Upstream(host="127.0.0.1", port=8888), "127.0.0.1:8888", "127.0.0.1:8888"),
        (Upstream(host="::1", port=8888), "[::1]:8888", "[::1]:8888"),
        (Upstream(path="/run/j.sock"), "localhost", "unix:/run/j.sock"),
    ],
)
def test_an_upstream_says_what_host_it_expects(upstream, authority, text):
    assert (authority, text) == (upstream.authority, str(upstream))


def test_a_token_is_never_printed():
    assert "hush" not in repr(UpstreamState(route="main", token="hush"))


@pytest.mark.parametrize(
    ("state", "secret"),
    [
        ({"token": "hush"}, "hush"),
        ({"cookie": '_xsrf=2|a|b|c; username-localhost-8888="2|1:0|17"', "xsrf": "2|a|b|c"}, "2|1:0|17"),
        ({"cookie": "_xsrf=2|a|b|c", "xsrf": "2|a|b|c"}, ""),
        ({}, ""),
    ],
)
def test_what_no_answer_may_show(state, secret):
    assert secret == UpstreamState(route="main", **state).secret


@pytest.mark.parametrize(
    ("state", "has"),
    [({"token": "hush"}, True), ({"cookie": "username-localhost-8888=2"}, True), ({"xsrf": "2"}, False)],
)
def test_whether_requests_are_sent_with_a_credential(state, has):
    assert has is UpstreamState(route="main", **state).has_credential
