"""The program itself: its version, and how it ends."""

import subprocess
import sys

import pytest

from nbgate import __version__
from nbgate.cli import main


def test_the_version_is_answered_before_anything_is_imported():
    script = "import sys; from nbgate.cli import main; main(['--version']); print(sorted({'cyclopts', 'aiohttp', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (f"nbgate {__version__}\n[]\n", "") == (done.stdout, done.stderr)


def test_the_version_is_one_line(run):
    assert (0, f"nbgate {__version__}\n", "") == run("--version")


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "nbgate", "--version"], capture_output=True, text=True)

    assert (0, f"nbgate {__version__}\n") == (done.returncode, done.stdout)


def test_an_interrupted_command(folder, monkeypatch):
    def fail(words):
        raise KeyboardInterrupt

    monkeypatch.setattr("nbgate.cli.parser.run_command", fail)

    assert 130 == main(["status"])


@pytest.mark.parametrize("words", [["config", "default"], ["completion", "zsh"], ["config", "show"]])
def test_a_reader_who_has_enough_is_no_error(folder, words):
    command = subprocess.Popen(
        [sys.executable, "-m", "nbgate", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    command.stdout.close()
    said = command.stderr.read()
    command.stderr.close()

    assert (0, "") == (command.wait(), said)
