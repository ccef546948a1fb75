import os
import pwd

import msgspec
import pytest
import trustme

from nbgate.config.document import Source
from nbgate.errors import ConfigError, StartError
from nbgate.keeper.load import load_fresh
from nbgate.model.route import Upstream
from nbgate.model.route_spec import RouteSpec


def source(tmp_path, **flags):
    made = Source(flags={"data_dir": str(tmp_path / "data")} | flags, folder=str(tmp_path))
    return msgspec.json.encode(made).decode()


@pytest.fixture
def pem(tmp_path):
    path = tmp_path / "gw.pem"
    path.touch(mode=0o600)
    trustme.CA().issue_cert("gw.test").private_key_and_cert_chain_pem.write_to_path(str(path))
    return str(path)


def test_everything_is_read_and_tested(tmp_path, pem):
    fresh = load_fresh(source(tmp_path, upstream="localhost:8888", cert=pem))
    (spec,) = fresh.upstreams.named
    assert RouteSpec(upstream=Upstream(host="127.0.0.1", port=8888)) == spec
    assert "GET" in fresh.tables.methods
    assert 95 == len(fresh.fingerprint)


def test_a_base_url_that_was_named_is_kept(tmp_path, pem):
    fresh = load_fresh(source(tmp_path, upstream=["http://localhost:8888/jl/", "unix:/run/j.sock"], cert=pem))
    expected = [("127.0.0.1:8888", "/jl/"), ("unix:/run/j.sock", "")]
    assert expected == [(str(spec.upstream), spec.base_url) for spec in fresh.upstreams.named]


@pytest.mark.parametrize("upstream", [{}, {"upstream": "auto"}])
def test_without_a_name_whatever_runs_is_guarded(tmp_path, pem, upstream):
    assert () == load_fresh(source(tmp_path, cert=pem, **upstream)).upstreams.named


@pytest.mark.parametrize(
    ("user", "owners"),
    [
        ("", {0, os.geteuid()}),
        ("root", {0, os.geteuid()}),
        ("nobody", {0, os.geteuid(), pwd.getpwnam("nobody").pw_uid}),
        ("*", set()),
    ],
)
def test_whose_sockets_are_believed(tmp_path, pem, user, owners):
    flags = {"upstream_user": user} if user else {}
    assert owners == set(load_fresh(source(tmp_path, cert=pem, **flags)).upstreams.owners)


def test_a_user_nobody_knows_is_named_with_what_to_do(tmp_path, pem):
    with pytest.raises(ConfigError) as caught:
        load_fresh(source(tmp_path, cert=pem, upstream_user="nobody-knows"))
    ((problem),) = caught.value.problems
    assert "--upstream-user: there is no user 'nobody-knows' on this machine" == str(problem)
    assert "'*' for any" in problem.hint


def test_without_a_certificate_one_is_made_and_kept(tmp_path):
    one = load_fresh(source(tmp_path, upstream="localhost:8888"))
    two = load_fresh(source(tmp_path, upstream="localhost:8888"))
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ({"upstream": ["localhost:8888", "127.0.0.1:8888"]}, ConfigError),
        ({"upstream_token_file": "missing"}, StartError),
        ({"upstream_password_file": "missing"}, StartError),
        ({"upstream": "nowhere"}, ConfigError),
        ({"upstream": "https://localhost:8888", "upstream_ca_file": "missing.pem"}, StartError),
        ({"upstream": "localhost:8888", "cert": "missing.pem"}, StartError),
    ],
)
def test_what_is_wrong_is_raised(tmp_path, flags, error):
    with pytest.raises(error):
        load_fresh(source(tmp_path, **flags))


ROUTES = """\
allow_remote_upstream = true
[[route]]
at = "/lab1/"
upstream = "https://gpu.example.org"
ca_file = "ca.pem"
token_file = "token"

[[route]]
at = "b.example.org/"
upstream = "https://localhost:1"
pin = "{pin}"
password_file = "password"
allow = ["ada"]
"""


def write_routes(tmp_path):
    (tmp_path / "nbgate.toml").write_text(ROUTES.format(pin="ab" * 32))
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    for name in ("token", "password"):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text("5ecret\n")
    made = Source(config="nbgate.toml", flags={"data_dir": "data"}, folder=str(tmp_path))
    return msgspec.json.encode(made).decode()


def test_routes_come_with_who_vouches_for_them(tmp_path):
    one, two = load_fresh(write_routes(tmp_path)).upstreams.named

    assert ("/lab1/", "b.example.org/") == (one.at, two.at)
    assert ((tmp_path / "ca.pem").read_text(), "") == (one.upstream.tls.ca, one.upstream.tls.pin)
    assert ("", "ab" * 32) == (two.upstream.tls.ca, two.upstream.tls.pin)
    assert (str(tmp_path / "token"), str(tmp_path / "password")) == (one.token_file, two.password_file)
    assert ("gpu.example.org", "", ("ada",)) == (one.resolve, two.resolve, two.allowed)


@pytest.mark.parametrize(
    ("name", "told", "key"),
    [
        ("ca.pem", "nbgate.toml:5: authority file {} cannot be read: no such file or directory", ""),
        ("token", "nbgate.toml:6: upstream token file {} cannot be read: no such file or directory", "token_file"),
        ("password", "nbgate.toml:12: upstream password file {} cannot be read: no such file or directory",
         "password_file"),
    ],
)  # fmt: skip
def test_a_file_of_a_route_that_cannot_be_used_is_told_with_its_place(tmp_path, name, told, key):
    made = write_routes(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ConfigError) as caught:
        load_fresh(made)

    (problem,) = caught.value.problems
    assert told.format(tmp_path / name) == str(problem)
    assert key == problem.hint.partition("with ")[2]


def test_what_holds_for_all_servers_is_handed_on(tmp_path, pem):
    upstreams = load_fresh(source(tmp_path, cert=pem, base_url="/ipython/", hosts="Gw.example.org")).upstreams

    assert ((), "/ipython/", ("gw.example.org",)) == (upstreams.named, upstreams.base_url, upstreams.hosts)
    assert not upstreams.shared_origin
