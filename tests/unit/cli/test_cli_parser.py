"""Flags, and what they become."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from nbgate.cli import parser
from nbgate.cli.parser import ServeFlags, UpstreamFlags, Where, flags_of, make_app, source_of, words_of
from nbgate.config.options import all_options

HEAVY = (
    "aiohttp",
    "asyncio",
    "ssl",
    "rich",
    "argon2",
    "cryptography",
    "uvloop",
    "sqlite3",
    "http.client",
    "nbgate.keeper",
)


def test_every_option_outside_tables_has_its_flag_and_no_flag_is_without_option():
    ours = {field.name for part in (UpstreamFlags, ServeFlags, Where) for field in fields(part)}

    assert {key for key, option in all_options().items() if option.flag} == ours - {"config", "profile"}


@pytest.fixture
def served(monkeypatch):
    """The source of what is served."""
    sources = []
    monkeypatch.setattr("nbgate.cli.serve.run_gateway", lambda source: sources.append(source) or 42)
    return sources


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {}),
        (["--upstream", "localhost:1", "--upstream=unix:/a,b"], {"upstream": ["localhost:1", "unix:/a,b"]}),
        (["--port", "0", "--workers", "auto"], {"port": "0", "workers": "auto"}),
        (["--cert", "~/a.pem", "--data-dir", "x/../y"], {"cert": "~/a.pem", "data_dir": "x/../y"}),
        (["--browser", "--no-banner"], {"browser": True, "banner": False}),
        (["--allow-open-upstream"], {"allow_open_upstream": True}),
        (
            [
                "--upstream",
                "/a/=https://gpu.org",
                "--allow-remote-upstream",
                "--upstream-ca-file",
                "ca",
                "--base-url=/x/",
            ],
            {
                "upstream": ["/a/=https://gpu.org"],
                "allow_remote_upstream": True,
                "upstream_ca_file": "ca",
                "base_url": "/x/",
            },
        ),
        (["--upstream-pin", "AB:CD"], {"upstream_pin": "AB:CD"}),
        (["--log-level", "debug"], {"log_level": "debug"}),
    ],
)
def test_flags_travel_as_they_were_typed(run, folder, served, words, expected):
    assert (42, "", "") == run(*words)
    assert [expected] == [source.flags for source in served]


def test_file_and_profile_are_no_options(run, folder, served):
    run("--config", "a/n.toml", "--profile", "lab")

    assert [("a/n.toml", "lab", {})] == [(source.config, source.profile, source.flags) for source in served]


def test_the_words_that_say_the_same():
    upstream = UpstreamFlags(upstream=["a:1", "-b"], allow_open_upstream=True)
    flags = ServeFlags(port="1", key=Path("~/k"), browser=False)
    where = Where(profile="lab", data_dir=Path("d"))

    words = ["--upstream=a:1", "--upstream=-b", "--allow-open-upstream", "--port=1", "--key=~/k", "--no-browser"]
    assert [*words, "--profile=lab", "--data-dir=d"] == words_of(upstream, flags, where)


def test_words_are_read_as_they_were_written(run, folder, served):
    upstream, flags = UpstreamFlags(upstream=["a:1", "-b"]), ServeFlags(ip="::1", banner=True, cert=Path("-c"))
    where = Where(config=Path("c"))
    run(*words_of(upstream, flags, where))

    assert [flags_of(upstream, flags)] == [source.flags for source in served]


def test_a_source_begins_with_the_current_folder_and_the_environment(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("NBGATE_PROFILE", "env")
    source = source_of(Where(data_dir=Path("d")), {"port": "1"})

    assert ({"port": "1", "data_dir": "d"}, "env", str(tmp_path)) == (source.flags, source.profile, source.folder)
    assert str(folder) == source.environ["NBGATE_DATA_DIR"]


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["user", "--help"], ["config", "show"], ["completion"]])
def test_little_is_imported_for_little(folder, words):
    script = f"import sys; from nbgate.cli import main; main({words}); print(sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ("[]", "") == (done.stdout.splitlines()[-1], done.stderr)


def test_a_command_is_imported_when_it_is_called():
    script = "import sys; from nbgate.cli.parser import make_app; make_app(); print('nbgate.cli.user' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ("False\n", "") == (done.stdout, done.stderr)


def test_the_version_is_told_among_other_flags_too(run, capsys):
    assert f"nbgate {parser.__version__}\n" == run("--port", "1", "--version")[1]


def test_the_app_has_every_command():
    assert make_app()["config"]["check"].name == ("check",)
