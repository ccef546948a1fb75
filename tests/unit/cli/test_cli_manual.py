"""What is generated is what is in the tree, and a manual page."""

import shutil
import subprocess
from pathlib import Path

import pytest

from nbgate.cli.commands import COMMANDS
from nbgate.cli.manual import EXIT_CODES, documents, main
from nbgate.config.options import all_options
from nbgate.errors import ExitCode

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENTS = documents()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_documents_in_the_tree_are_up_to_date(name):
    assert DOCUMENTS[name] == (DOCS / name).read_text(encoding="utf-8"), "make docs"


def test_documents_are_written_below_a_folder(tmp_path):
    (tmp_path / "reference").mkdir()
    main(tmp_path)

    assert set(DOCUMENTS) == {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}


def test_every_exit_code_has_its_meaning():
    assert set(ExitCode) == set(EXIT_CODES)


@pytest.mark.parametrize("name", ["reference/command-line.md", "nbgate.1"])
def test_every_command_is_described(name):
    plain = DOCUMENTS[name].replace("\\-", "-")
    assert [] == [command.words for command in COMMANDS if f"nbgate {command.words}" not in plain]


def test_no_line_of_text_of_the_manual_is_taken_for_a_request():
    known = (".TH ", ".SH ", ".SS ", ".TP", ".B ", ".br", ".PP", ".EX", ".EE")
    odd = [
        line
        for line in DOCUMENTS["nbgate.1"].splitlines()
        if line.startswith((".", "'")) and not line.startswith(known)
    ]

    assert [] == odd


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_no_complaints_and_shows_every_variable():
    done = subprocess.run(
        ["groff", "-ww", "-man", "-Tascii", "-P-c", "-rLL=200n", str(DOCS / "nbgate.1")], capture_output=True, text=True
    )
    text = done.stdout.replace("\b", "")

    assert (0, "") == (done.returncode, done.stderr)
    assert [] == [
        option.variable
        for option in all_options().values()
        if "".join(2 * char for char in option.variable) not in text
    ]
