import pytest

from nbgate.model.route import Upstream
from nbgate.model.route_spec import RouteSpec

LAB = Upstream(host="127.0.0.1", port=8889)


@pytest.mark.parametrize(
    ("host", "prefix", "expected"),
    [
        ("", "/lab1/", "/lab1/"),
        ("lab1.example.org", "/", "lab1.example.org/"),
        ("{user}.example.org", "/x/", "{user}.example.org/x/"),
        ("", "", ""),
    ],
)
def test_a_place_is_written_as_people_do(host, prefix, expected):
    assert expected == RouteSpec(upstream=LAB, host=host, prefix=prefix).at


def test_a_token_is_not_shown():
    shown = repr(RouteSpec(upstream=LAB, prefix="/lab1/", token="5ecre7"))
    assert ("/lab1/" in shown, "5ecre7" in shown) == (True, False)
