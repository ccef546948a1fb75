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
    assert ("127.0.0.1:8888", "") == (str(fresh.upstream), fresh.base_url)
    assert "GET" in fresh.tables.methods
    assert 95 == len(fresh.fingerprint)


def test_a_base_url_that_was_named_is_kept(tmp_path, pem):
    fresh = load_fresh(source(tmp_path, upstream="http://localhost:8888/jl/", cert=pem))
    assert "/jl/" == fresh.base_url


def test_without_a_certificate_one_is_made_and_kept(tmp_path):
    one = load_fresh(source(tmp_path, upstream="localhost:8888"))
    two = load_fresh(source(tmp_path, upstream="localhost:8888"))
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ({}, ConfigError),
        ({"upstream": "nowhere"}, ConfigError),
        ({"upstream": "localhost:8888", "cert": "missing.pem"}, StartError),
    ],
)
def test_what_is_wrong_is_raised(tmp_path, flags, error):
    with pytest.raises(error):
        load_fresh(source(tmp_path, **flags))
