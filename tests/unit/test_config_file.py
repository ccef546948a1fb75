"""Reading the configuration files, and what is said where they cannot be read."""

import os

import pytest

from nbgate import config_file
from nbgate.config.document import Source
from nbgate.config_file import find_profile, load_config, make_source, profile_names, read_files
from nbgate.errors import ConfigError, ExitCode


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def source_in(tmp_path, **options) -> Source:
    return Source(environ={"HOME": str(tmp_path)}, folder=str(tmp_path), **options)


@pytest.fixture
def folder(tmp_path):
    """The folder of the default file, with profiles `lab` and `home`."""
    folder = tmp_path / ".config" / "nbgate"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles" / "lab.toml").write_text("port = 2\n")
    (folder / "profiles" / "home.toml").touch()
    (folder / "profiles" / "no profile.toml").touch()
    return folder


def test_the_source_keeps_what_matters_and_nothing_else():
    environ = {
        "HOME": "/h",
        "PATH": "/bin",
        "NBGATE_DATA_DIR": "/d",
        "NBGATE_LIMITS__HEADERS": "9",
        "NBGATE_CONFIG": "env.toml",
        "NBGATE_PROFILE": "lab",
        "NBGATE_TEST_ANYTHING": "x",
        "NBGATE_PASSWORD": "5ecret",
        "TOKEN": "5ecret",
    }
    source = make_source(None, None, {"ip": "*", "port": None}, environ)

    assert ("env.toml", "NBGATE_CONFIG", "lab") == (source.config, source.named_by, source.profile)
    assert {"ip": "*"} == source.flags
    assert {
        "HOME": "/h",
        "NBGATE_DATA_DIR": "/d",
        "NBGATE_LIMITS__HEADERS": "9",
        "NBGATE_PASSWORD": "",
    } == source.environ
    assert str(config_file.Path.cwd()) == source.folder
    assert (os.geteuid() == 0) == source.is_root


def test_the_flags_name_file_and_profile_rather_than_the_environment(tmp_path):
    (tmp_path / "flag.toml").write_text('ip = "::1"\n')
    environ = {"NBGATE_CONFIG": "env.toml", "NBGATE_PROFILE": "env"}
    source = make_source("flag.toml", "flag", {}, environ)
    loaded = load_config(make_source("flag.toml", None, {}, {"NBGATE_CONFIG": "env.toml"}))

    assert ("flag.toml", "--config", "flag") == (source.config, source.named_by, source.profile)
    assert ("::1", "flag.toml:1", ("flag.toml",)) == (loaded.config.ip, loaded.origins["ip"], loaded.files)


def test_without_a_file_none_is_read(tmp_path):
    assert () == load_config(source_in(tmp_path)).files


def test_the_default_file_is_read_when_it_is_there_and_none_is_named(tmp_path, folder):
    default = folder / "nbgate.toml"
    default.write_text("port = 1\n")
    (tmp_path / "other.toml").write_text("workers = 3\n")

    assert (str(default),) == load_config(source_in(tmp_path)).files
    assert f"{default}:1" == load_config(source_in(tmp_path)).origins["port"]
    assert ("other.toml",) == load_config(source_in(tmp_path, config="other.toml")).files


def test_a_default_file_that_leads_nowhere_is_not_as_good_as_none(tmp_path, folder):
    (folder / "nbgate.toml").symlink_to("gone.toml")
    with pytest.raises(ConfigError, match="does not exist") as caught:
        load_config(source_in(tmp_path))

    assert "without --config it is read by itself" == caught.value.problems[0].hint


def test_a_profile_is_read_after_the_file(tmp_path, folder):
    (folder / "nbgate.toml").write_text("port = 1\nworkers = 3\n")
    source = source_in(tmp_path, profile="lab")
    loaded = load_config(source)

    assert [False, True] == [file.is_profile for file in read_files(source)]
    assert (2, 3) == (loaded.config.port, loaded.config.workers)
    assert f"{tmp_path}/.local/state/nbgate/profiles/lab" == loaded.config.data_dir
    assert folder / "profiles" / "lab.toml" == find_profile(source)


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("lob", "there is no profile lob", "did you mean lab?"),
        ("work", "there is no profile work", "make it: nbgate profile create work"),
        ("../lab", "no profile can be called '../lab'", "up to 32 letters"),
    ],
)
def test_a_profile_that_is_not_there(tmp_path, folder, name, text, hint):
    with pytest.raises(ConfigError) as caught:
        load_config(source_in(tmp_path, profile=name))

    (problem,) = caught.value.problems
    assert text == str(problem)
    assert problem.hint.startswith(hint)


def test_the_profiles_there_are(tmp_path, folder):
    assert ["home", "lab"] == profile_names(source_in(tmp_path))
    assert [] == profile_names(source_in(tmp_path / "elsewhere"))


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
        load_config(make_source("nbgate.toml", None, {}, {}))

    (problem,) = caught.value.problems
    assert (f"the configuration nbgate.toml {text}", hint) == (str(problem), problem.hint)
    assert ExitCode.CONFIGURATION == caught.value.exit_code
