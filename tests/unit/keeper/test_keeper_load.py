import os
import pwd

import msgspec
import pytest
import trustme

from nbgate.config.document import Source
from nbgate.errors import ConfigError, StartError
from nbgate.keeper.load import load_fresh


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
    ((upstream, base_url),) = fresh.upstreams.named
    assert ("127.0.0.1:8888", "", fresh.upstreams.owners) == (str(upstream), base_url, upstream.owners)
    assert "GET" in fresh.tables.methods
    assert 95 == len(fresh.fingerprint)


def test_a_base_url_that_was_named_is_kept(tmp_path, pem):
    fresh = load_fresh(source(tmp_path, upstream=["http://localhost:8888/jl/", "unix:/run/j.sock"], cert=pem))
    expected = [("127.0.0.1:8888", "/jl/"), ("unix:/run/j.sock", "")]
    assert expected == [(str(upstream), base_url) for upstream, base_url in fresh.upstreams.named]


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
        ({"upstream": "localhost:8888", "cert": "missing.pem"}, StartError),
    ],
)
def test_what_is_wrong_is_raised(tmp_path, flags, error):
    with pytest.raises(error):
        load_fresh(source(tmp_path, **flags))
