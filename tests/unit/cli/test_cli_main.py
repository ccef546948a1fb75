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


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (BrokenPipeError, 0)])
def test_an_interrupted_command_and_a_reader_who_has_enough(folder, monkeypatch, error, code):
    def fail(words):
        raise error

    monkeypatch.setattr("nbgate.cli.parser.run_command", fail)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", sys.stdout)
        assert code == main(["status"])
