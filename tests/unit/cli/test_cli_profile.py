"""Profiles: made, listed, found."""

import json
import stat

import pytest

from nbgate.config.reference import default_file


@pytest.fixture
def profiles(tmp_path):
    return tmp_path / "etc" / "nbgate" / "profiles"


def test_a_profile_is_made_listed_and_found(run, folder, profiles):
    path = profiles / "lab.toml"
    made = f"nbgate: made {path}\n  hint: nbgate config edit --profile lab changes it, nbgate --profile lab serves with it\n"

    assert (0, "name  file\n", "") == run("profile", "list")
    assert (0, "", made) == run("profile", "create", "lab")
    assert default_file() == path.read_text()
    assert (0, f"name  file\nlab   {path}\n", "") == run("profile", "list")
    assert [{"name": "lab", "file": str(path)}] == json.loads(run("profile", "list", "--format", "json")[1])
    assert (0, f"{path}\n", "") == run("profile", "locate", "lab")
    assert 0 == run("config", "check", "--profile", "lab")[0]


def test_a_profile_is_a_copy_of_a_file(run, folder, tmp_path, profiles):
    (tmp_path / "n.toml").write_text('port = 9443 # ours\ncert = "/c.pem"\n')

    assert 0 == run("profile", "create", "lab", "--from", "n.toml")[0]
    assert 'port = 9443 # ours\ncert = "/c.pem"\n' == (profiles / "lab.toml").read_text()


@pytest.mark.parametrize(
    ("words", "code", "text", "hint"),
    [
        (("create", "a/b"), 78, "no profile can be called 'a/b'", "up to 32 letters"),
        (("create", "lab"), 73, "there is a profile lab already", "nbgate config edit --profile lab changes it"),
        (("create", "new", "--from", "gone.toml"), 78, "the configuration gone.toml does not exist", "--from names it"),
        (("create", "new", "--from", "wrong.toml"), 78, "wrong.toml:1: prot: unknown option", "did you mean 'port'?"),
        (
            ("create", "new", "--from", "moved.toml"),
            78,
            "moved.toml: a relative path begins at the file's own folder, and means another file in a copy: cert",
            'write it whole: cert = "{home}/c.pem"',
        ),
        (("locate", "lob"), 78, "there is no profile lob", "did you mean lab?"),
        (("locate", "new"), 78, "there is no profile new", "make it: nbgate profile create new"),
        (("locate", ".."), 78, "no profile can be called '..'", "up to 32 letters"),
    ],
)
def test_what_cannot_be_made_or_found(run, folder, tmp_path, profiles, words, code, text, hint):
    profiles.mkdir(parents=True)
    (profiles / "lab.toml").touch()
    (tmp_path / "wrong.toml").write_text("prot = 1\n")
    (tmp_path / "moved.toml").write_text('cert = "c.pem"\n')
    found, out, err = run("profile", *words)
    first, second = err.splitlines()

    assert (code, "", f"nbgate: {text}") == (found, out, first)
    assert second.startswith(f"  hint: {hint.replace('{home}', str(tmp_path))}")
    assert ["lab.toml"] == [path.name for path in profiles.iterdir()]


def test_a_folder_that_cannot_be_made(run, folder, tmp_path):
    (tmp_path / "etc").touch()
    code, _, err = run("profile", "create", "lab")

    assert 73 == code
    assert "lab.toml: not a directory\n  hint: the folder must be writable" in err


def test_a_profile_has_its_own_data_folder(run, folder, monkeypatch, tmp_path):
    monkeypatch.delenv("NBGATE_DATA_DIR")
    monkeypatch.setattr("nbgate.config.folders.SYSTEM_DATA_DIR", f"{tmp_path}/.local/state/nbgate")
    run("profile", "create", "lab")
    shown = json.loads(run("config", "show", "--profile", "lab", "--format", "json")[1])

    assert f"{tmp_path}/.local/state/nbgate/profiles/lab" == shown["data_dir"]


def test_a_profile_that_a_variable_names(run, folder, monkeypatch, profiles):
    profiles.mkdir(parents=True)
    (profiles / "lab.toml").write_text("port = 9443\n")
    monkeypatch.setenv("NBGATE_PROFILE", "lab")
    shown = json.loads(run("config", "show", "--origin", "--format", "json")[1])

    assert {"value": 9443, "origin": f"{profiles}/lab.toml:1"} == shown["port"]


def test_a_file_of_a_profile_is_as_private_as_others(run, folder, profiles):
    run("profile", "create", "lab")

    assert 0 == stat.S_IMODE((profiles / "lab.toml").stat().st_mode) & 0o022
