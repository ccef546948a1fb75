"""Reading the configuration file, and what is said where it cannot be read."""

import os

import pytest

from nbgate import config_file
from nbgate.config_file import load_config, make_source
from nbgate.errors import ConfigError, ExitCode


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_source_keeps_what_matters_and_nothing_else():
    environ = {"HOME": "/h", "PATH": "/bin", "NBGATE_DATA_DIR": "/d", "NBGATE_CONFIG": "env.toml", "TOKEN": "secret"}
    source = make_source("", {"ip": "*", "port": None}, environ)

    assert ("env.toml", "NBGATE_CONFIG") == (source.config, source.named_by)
    assert {"ip": "*"} == source.flags
    assert {"HOME": "/h", "NBGATE_DATA_DIR": "/d"} == source.environ
    assert str(config_file.Path.cwd()) == source.folder
    assert (os.geteuid() == 0) == source.is_root


def test_the_flag_names_the_file_rather_than_the_environment(tmp_path):
    (tmp_path / "flag.toml").write_text('ip = "::1"\n')
    loaded = load_config(make_source("flag.toml", {}, {"NBGATE_CONFIG": "env.toml"}))

    assert ("::1", "flag.toml:1", "flag.toml") == (loaded.config.ip, loaded.origins["ip"], loaded.path)


def test_without_a_file_none_is_read():
    assert "" == load_config(make_source("", {}, {})).path


def is_gone(path):
    path.unlink()


def is_a_folder(path):
    path.unlink()
    path.mkdir()


def is_binary(path):
    path.write_bytes(b"a = 1\nb = '\xff'\n")


def is_huge(path):
    path.write_bytes(b"#" * (config_file.MAX_FILE_BYTES + 1))


@pytest.mark.parametrize(
    ("spoil", "text", "hint"),
    [
        (is_gone, "does not exist", "--config names it"),
        (is_a_folder, "cannot be read: is a directory", "--config names it"),
        (is_binary, "is not UTF-8 text (line 2)", "save it as UTF-8"),
        (is_huge, "is too large to be a configuration", "is it the right file?"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_and_a_hint(tmp_path, spoil, text, hint):
    path = tmp_path / "nbgate.toml"
    path.touch()
    spoil(path)
    with pytest.raises(ConfigError) as caught:
        load_config(make_source("nbgate.toml", {}, {}))

    (problem,) = caught.value.problems
    assert (f"the configuration nbgate.toml {text}", hint) == (str(problem), problem.hint)
    assert ExitCode.CONFIGURATION == caught.value.exit_code
