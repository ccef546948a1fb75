"""Shipped data is found in a checkout and in an installed package."""

import pytest

from nbgate import resources


@pytest.mark.parametrize(
    "parts",
    [("rules", "methods.toml"), ("certs", "profiles", "intermediate.toml"), ("deploy", "examples", "laptop.toml")],
)
def test_shipped_data_is_found(parts):
    assert resources.data_path(*parts).is_file()


def test_an_installed_package_looks_inside_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_INSTALLED", tmp_path)
    assert tmp_path / "rules" / "x.toml" == resources.data_path("rules", "x.toml")
