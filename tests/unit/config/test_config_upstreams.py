"""Where a notebook server is, as people type it."""

import pytest

from nbgate.config.addresses import AddressError
from nbgate.config.upstreams import is_remote, parse_address, require_local
from nbgate.model.route import Upstream, UpstreamTls
from nbgate.model.route_spec import RouteSpec

HERE = Upstream(host="127.0.0.1", port=8888)


def named(name: str, port: int, **more) -> Upstream:
    return Upstream(port=port, name=name, **more)


@pytest.mark.parametrize(
    ("text", "upstream", "base_url"),
    [
        ("localhost:8888", HERE, ""),
        ("LOCALHOST:8888", HERE, ""),
        ("127.0.0.1:8888", HERE, ""),
        ("127.0.0.1:8888/base", HERE, "/base/"),
        ("http://localhost:8888", HERE, ""),
        ("http://localhost:8888/", HERE, ""),
        ("http://localhost:8888/base/", HERE, "/base/"),
        ("http://localhost:8888/user/a.b%40c/", HERE, "/user/a.b%40c/"),
        ("[::1]:8888", Upstream(host="::1", port=8888), ""),
        ("[0:0::1]:8888", Upstream(host="::1", port=8888), ""),
        ("http://[::1]:8888/x/", Upstream(host="::1", port=8888), "/x/"),
        ("127.5.0.1:80", Upstream(host="127.5.0.1", port=80), ""),
        ("unix:/run/jupyter.sock", Upstream(path="/run/jupyter.sock"), ""),
        ("unix:/run/a=b,c.sock", Upstream(path="/run/a=b,c.sock"), ""),
        ("https://localhost:8888", Upstream(host="127.0.0.1", port=8888, tls=UpstreamTls(server_name="localhost")), ""),
        ("https://[::1]/x", Upstream(host="::1", port=443, tls=UpstreamTls(server_name="::1")), "/x/"),
    ],
)
def test_a_server_of_this_machine(text, upstream, base_url):
    assert RouteSpec(upstream=upstream, base_url=base_url) == parse_address(text)
    assert RouteSpec(upstream=upstream, base_url=base_url) == parse_address(text, may_be_remote=True)
    assert not is_remote(upstream)
    require_local(parse_address(text))


@pytest.mark.parametrize(
    ("text", "upstream"),
    [
        ("192.168.1.4:8888", Upstream(host="192.168.1.4", port=8888)),
        ("[2001:DB8::1]:8888", Upstream(host="2001:db8::1", port=8888)),
        ("GPU.example.org:8888", named("gpu.example.org", 8888)),
        ("https://gpu.example.org", named("gpu.example.org", 443, tls=UpstreamTls(server_name="gpu.example.org"))),
        ("https://gpu:8888/", named("gpu", 8888, tls=UpstreamTls(server_name="gpu"))),
    ],
)
def test_a_server_of_another_machine_only_where_that_is_accepted(text, upstream):
    spec = parse_address(text, may_be_remote=True)

    assert RouteSpec(upstream=upstream, resolve=upstream.name) == spec
    assert is_remote(upstream)
    with pytest.raises(AddressError, match="this machine") as typed:
        parse_address(text)
    with pytest.raises(AddressError, match="this machine") as judged:
        require_local(spec)
    assert (str(typed.value), typed.value.hint) == (str(judged.value), judged.value.hint)
    assert "a server of another machine needs allow_remote_upstream = true" in judged.value.hint


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("localhost", "an upstream needs a port", "did you mean localhost:8888?"),
        ("http://", "an upstream needs a port", "did you mean localhost:8888?"),
        ("https://", "an upstream needs a port", "did you mean localhost:8888?"),
        ("[::1]", "an upstream needs a port", "did you mean [::1]:8888?"),
        ("localhost:0", "an upstream needs a port", "did you mean localhost:8888?"),
        ("https://localhost:0", "an upstream needs a port", "did you mean localhost:8888?"),
        ("8888", "an upstream needs a host and a port", "did you mean localhost:8888?"),
        (":8888", "an upstream needs a host", "did you mean localhost:8888?"),
        ("locahost:8888", "'locahost' is not known to be this machine", "did you mean localhost:8888?"),
        ("127.0.01:8888", "'127.0.01' is neither an address nor a name", "did you mean 127.0.0.1:8888?"),
        ("10.1:8888", "'10.1' is neither an address nor a name", "for example localhost:8888"),
        ("my_host:8888", "'my_host' is neither an address nor a name", "for example localhost:8888"),
        ("[fe80::1%eth0]:8888", "neither an address nor a name", "for example localhost:8888"),
        ("example.org:80", "'example.org' is not known", "give it by address"),
        ("192.168.1.4:8888", "192.168.1.4 is not this machine", "run nbgate on its machine"),
        ("0.0.0.0:8888", "0.0.0.0 is where a server listens", "did you mean localhost:8888?"),
        ("[::]:8888", ":: is where a server listens", "did you mean localhost:8888?"),
        ("localhost:port", "the port of an upstream is a number", "for example localhost:8888"),
        ("localhost:70000", "the port of an upstream is a number", "for example localhost:8888"),
        ("ftp://localhost:8888", "cannot be reached by 'ftp'", "write host:port"),
        ("http://localhost:8888/lab?token=5ecret", "an address alone", "write http://localhost:8888/; its token is"),
        ("https://a.example/lab?token=5ecret", "an address alone", "write https://a.example:443/; its token is"),
        ("http://user:pw@[::1]:8888", "an address alone", "write http://[::1]:8888/"),
        ("http://localhost:8888/#x", "an address alone", "write http://localhost:8888/"),
        ("http://localhost:8888//x", "the base of an upstream is a plain path", "c.ServerApp.base_url"),
        ("http://[::1", "this is not an address", "for example localhost:8888"),
        ("local host:8888", "this is not an address", "for example localhost:8888"),
        ("höst:8888", "this is not an address", "for example localhost:8888"),
        ("unix:jupyter.sock", "a unix socket is named by its whole path", "unix:/run"),
        ("unix:/a\0b", "a unix socket is named by its whole path", "unix:/run"),
    ],
)
def test_a_mistyped_address_is_refused_with_what_to_write(text, problem, hint):
    with pytest.raises(AddressError) as caught:
        parse_address(text)

    assert problem in str(caught.value)
    assert hint in caught.value.hint
    assert "5ecret" not in str(caught.value) + caught.value.hint
