"""Looking at the configuration."""

import json
import re
import tomllib

import pytest

from nbgate.cli import config
from nbgate.config.document import DEFAULT
from nbgate.config.options import all_options
from nbgate.config.reference import default_file, explained, json_schema


def test_the_default_file_is_written_to_standard_output(run, folder):
    assert (0, default_file(), "") == run("config", "default")


@pytest.mark.parametrize("words", [("n.toml",), ("--config", "n.toml")])
def test_a_good_file_is_said_to_be_good_and_what_was_not_looked_at(run, folder, tmp_path, words):
    (tmp_path / "n.toml").write_text("port = 1\n")
    code, out, err = run("config", "check", *words)

    assert (0, "") == (code, out)
    assert "nbgate: nothing is wrong with the configuration (n.toml)\n  not looked at: " in err


def test_no_file_is_fine_too(run, folder):
    assert "(no file, the defaults alone)" in run("config", "check")[2]


def test_what_is_wrong_is_told_with_the_exit_code_of_a_configuration(run, folder, tmp_path):
    (tmp_path / "n.toml").write_text("prot = 1\nworkers = 0\n")

    assert (
        78,
        "",
        """\
nbgate: n.toml:1: prot: unknown option
  hint: did you mean 'port'?
nbgate: n.toml:2: workers: 0 is not an integer from 1 to 256 or auto
  hint: worker processes, or auto for one per core
""",
    ) == run("config", "check", "n.toml")


def test_a_file_that_is_named_twice_is_a_mistake(run, folder):
    code, _, err = run("config", "check", "n.toml", "--config", "n.toml")

    assert (2, "nbgate: the file is named twice\n  hint: name it once\n") == (code, err)


def test_every_value_is_shown_with_its_origin(run, folder, tmp_path):
    (tmp_path / "n.toml").write_text('upstream = "localhost:1"\n')
    code, out, err = run("config", "show", "--origin", "--config", "n.toml")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}

    assert (0, "") == (code, err)
    assert ["option", *all_options()] == list(rows)
    assert ['["localhost:1"]', "n.toml:1"] == rows["upstream"]
    assert [f'"{folder}"', "NBGATE_DATA_DIR"] == rows["data_dir"]
    assert ["8443", DEFAULT] == rows["port"]
    assert "origin" not in run("config", "show")[1].splitlines()[0]


def test_every_value_for_programs(run, folder):
    values = json.loads(run("config", "show", "--format", "json")[1])
    origins = json.loads(run("config", "show", "--format", "json", "--origin")[1])

    assert (8443, {"value": 8443, "origin": DEFAULT}) == (values["port"], origins["port"])
    assert [*all_options(), "route"] == list(values) == list(origins)
    assert ([], {"value": [], "origin": DEFAULT}) == (values["route"], origins["route"])


def test_each_route_is_shown_with_its_origin(run, folder, tmp_path):
    text = 'upstream = []\n[[route]]\nat = "/a/"\nupstream = "localhost:1"\n[[route]]\nat = "b.org/"\nupstream = "localhost:2"\n'
    (tmp_path / "n.toml").write_text(text + 'health = "api"\n')
    rows = [line.split("  ") for line in run("config", "show", "--origin", "--config", "n.toml")[1].splitlines()]
    values = json.loads(run("config", "show", "--format", "json", "--config", "n.toml")[1])

    assert [
        ["route[0]", '{at = "/a/", upstream = "localhost:1"}', "n.toml:2"],
        ["route[1]", '{at = "b.org/", upstream = "localhost:2", health = "api"}', "n.toml:5"],
    ] == [[cell.strip() for cell in row if cell] for row in rows if row[0].startswith("route")]
    assert [("/a/", ""), ("b.org/", "api")] == [(route["at"], route["health"]) for route in values["route"]]


@pytest.mark.parametrize("name", ["port", "--port", "NBGATE_PORT"])
def test_an_option_is_explained(run, folder, name):
    code, out, err = run("config", "explain", name)

    assert (0, "") == (code, err)
    assert explained(all_options()["port"], ["port"]) == dict(
        re.split("  +", line, maxsplit=1) for line in out.splitlines()
    )


def test_a_table_is_explained_by_its_options(run, folder):
    out = run("config", "explain", "probe")[1]

    names = ("interval_seconds", "retry_seconds", "certificate_seconds")
    assert ["option", *(f"probe.{name}" for name in names)] == [line.split()[0] for line in out.splitlines()]
    assert 3 == len(json.loads(run("config", "explain", "probe", "--format", "json")[1]))
    assert "port" == json.loads(run("config", "explain", "port", "--format", "json")[1])["option"]


@pytest.mark.parametrize(
    ("name", "hint"), [("prot", "did you mean port?"), ("xyzzy", "nbgate config default lists all options")]
)
def test_an_option_that_is_not_there(run, folder, name, hint):
    assert (2, "", f"nbgate: there is no option {name}\n  hint: {hint}\n") == run("config", "explain", name)


def test_the_schema_is_json(run, folder):
    assert json.loads(json.dumps(json_schema())) == json.loads(run("config", "schema")[1])


def test_editing_needs_a_terminal(run, folder, tmp_path):
    code, _, err = run("config", "edit")

    assert 2 == code
    assert f"change {tmp_path}/etc/nbgate/nbgate.toml by other means" in err


@pytest.fixture
def edited(monkeypatch):
    """Write what the editor would; remember which file it was, and what it began with."""
    seen = []

    def edit(text):
        def edit_file(path, first, judge, environ):
            judge(text)
            seen.append((path, first))
            return text != "same"

        monkeypatch.setattr(config, "edit_file", edit_file)
        return seen

    return edit


@pytest.mark.parametrize(
    ("words", "environ", "file"),
    [
        ((), {}, "etc/nbgate/nbgate.toml"),
        (("--config", "n.toml"), {}, "n.toml"),
        ((), {"NBGATE_CONFIG": "m.toml"}, "m.toml"),
        (("--config", "n.toml", "--profile", "lab"), {}, "etc/nbgate/profiles/lab.toml"),
    ],
)
def test_which_file_is_edited(run, folder, tmp_path, monkeypatch, edited, words, environ, file):
    (tmp_path / "n.toml").write_text("port = 1\n")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    seen = edited("port = 2\n")

    assert (0, "", "  hint: nbgate reload puts it into force\n") == run("config", "edit", *words)
    assert [(tmp_path / file, default_file())] == seen


def test_what_is_edited_is_judged_as_the_file_it_will_be(run, folder, tmp_path, edited):
    edited("prot = 2\n")
    code, _, err = run("config", "edit", "--config", "n.toml")

    assert 78 == code
    assert f"nbgate: {tmp_path}/n.toml:1: prot: unknown option" in err


def test_the_default_file_is_toml():
    tables = ("sessions", "login", "throttle", "limits", "penalties", "probe")
    assert {table: {} for table in tables} == tomllib.loads(default_file())
