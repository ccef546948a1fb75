import pytest

from nbgate.keeper.guarded import Shown
from nbgate.keeper.places import Source
from nbgate.keeper.route_list import ListedRoute, address_of, of_mount, of_spec, unreadable
from nbgate.model.route import Condition, Upstream, UpstreamTls
from nbgate.model.route_spec import RouteSpec


def test_a_watched_server_is_told_with_its_state():
    shown = Shown(
        route="main",
        prefix="/ipython/lab1/",
        at="/lab1/",
        product="JupyterLab",
        address="127.0.0.1:8889",
        base_url="/",
        condition=Condition.GUARDED,
        since_unix=1000.0,
        hint="",
        source=Source.FOUND,
        allowed=("ada",),
    )
    assert ListedRoute(
        at="/lab1/",
        upstream="127.0.0.1:8889",
        base_url="/",
        source=Source.FOUND,
        product="JupyterLab",
        condition=Condition.GUARDED,
        since_unix=1000.0,
        allow=("ada",),
    ) == of_mount(shown)


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        (Upstream(host="127.0.0.1", port=8889), "127.0.0.1:8889"),
        (Upstream(name="lab", port=8889, tls=UpstreamTls(server_name="lab", pin="0" * 64)), "https://lab:8889"),
        (Upstream(path="/run/{user}/lab.sock"), "unix:/run/{user}/lab.sock"),
    ],
)
def test_an_address_is_told_as_people_type_it(upstream, expected):
    spec = RouteSpec(upstream=upstream, base_url="/x/", allowed=("ada",))
    listed = of_spec(spec, Source.CONFIGURATION, "a hint")
    assert (expected, expected) == (address_of(spec), listed.upstream)
    assert ("/x/", ("ada",), "a hint") == (listed.at, listed.allow, listed.hint)


def test_of_what_cannot_be_read_the_place_is_told():
    assert ("/x/", "", Condition.UNKNOWN) == (
        unreadable("/x/").at,
        unreadable("/x/").upstream,
        unreadable("/x/").condition,
    )
