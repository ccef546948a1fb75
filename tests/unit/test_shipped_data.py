"""What ships beside the code is loaded here as it would be in use."""

import ssl
import tomllib
from typing import get_args, get_type_hints

import pytest

from nbgate.config.document import File, Source, build_config
from nbgate.config.schema import Config
from nbgate.resources import data_path

EXAMPLES = sorted(data_path("deploy", "examples").glob("*.toml"))
PROFILES = sorted(data_path("certs", "profiles").glob("*.toml"))
PROFILE = tomllib.loads(data_path("certs", "profiles", "intermediate.toml").read_text(encoding="utf-8"))
TLS_12 = [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
]


def rows(table):
    return [row for value in table.values() for row in ([value] if isinstance(value, dict) else value)]


def test_each_tls_profile_that_can_be_chosen_is_there():
    assert {*get_args(get_type_hints(Config)["tls_profile"])} == {path.stem for path in PROFILES}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_row_of_a_tls_profile_has_a_source_and_a_reason(path):
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    assert path.stem == table.pop("name")
    assert {"minimum", "groups", "alpn", "options"} <= {*table} <= {"minimum", "ciphers", "groups", "alpn", "options"}
    assert [] == [row for row in rows(table) if not (row["value"] and row["source"] and row["reason"])]


def test_the_profile_gives_forward_secret_authenticated_suites_only():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(":".join(row["value"] for row in PROFILE["ciphers"]))
    suites = [cipher for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"]
    assert sorted(TLS_12) == sorted(cipher["name"] for cipher in suites)
    assert all(cipher["aead"] for cipher in suites)


def test_the_profile_names_options_that_openssl_has():
    assert all(hasattr(ssl, f"OP_{row['value']}") for row in PROFILE["options"])


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_configuration_that_serves(example):
    file = File(path=str(example), text=example.read_text(encoding="utf-8"))
    loaded = build_config(Source(environ={"HOME": "/home/ada"}), file)
    assert (str(example),) == loaded.files
