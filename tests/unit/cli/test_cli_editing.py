"""A file is edited as a whole or not at all."""

import os
import stat
import sys

import pytest

from nbgate.cli.editing import edit_file
from nbgate.errors import ExitCode, StartError

EDITOR = """
import pathlib, sys
number = pathlib.Path(__file__).with_name("turn")
turn = int(number.read_text()) if number.exists() else 0
number.write_text(str(turn + 1))
copy = pathlib.Path(sys.argv[1])
pathlib.Path(__file__).with_name("seen").write_bytes(copy.read_bytes())
for step in pathlib.Path(__file__).with_name("steps").read_text().split("|")[turn : turn + 1]:
    exec(step)
"""


class Terminal:
    """Standard input of a person who types `lines`."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self.lines.pop(0) if self.lines else ""


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Edit a file with an editor that does `steps`, one at each turn, and a person who answers `answers`."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "editor.py").write_text(EDITOR)
    folder = tmp_path / "folder"

    def edit(*steps: str, answers: tuple[str, ...] = (), first: str = "first\n") -> bool:
        (tools / "steps").write_text("|".join(steps))
        monkeypatch.setattr(sys, "stdin", Terminal(*answers))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        return edit_file(folder / "n.toml", first, judge, {"EDITOR": f"{sys.executable} {tools}/editor.py"})

    return edit


@pytest.fixture
def file(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "n.toml"
    path.write_text("before\n")
    return path


def judge(text: str) -> None:
    if "wrong" in text:
        raise StartError("this is wrong", hint="mend it")


def names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


def test_a_new_file_begins_with_a_text_and_is_private(edit, tmp_path, capsys):
    path = tmp_path / "folder" / "n.toml"

    assert edit("copy.write_text('after')")
    assert ("after", 0o600) == (path.read_text(), stat.S_IMODE(path.stat().st_mode))
    assert "first\n" == (tmp_path / "tools" / "seen").read_text()
    assert f"nbgate: {path} was changed\n" == capsys.readouterr().err


def test_a_new_file_that_was_not_touched_is_written_too(edit, tmp_path):
    assert edit("pass")
    assert "first\n" == (tmp_path / "folder" / "n.toml").read_text()


def test_an_older_file_keeps_its_mode_and_links_to_it_stay(edit, file, tmp_path):
    real = tmp_path / "real.toml"
    file.rename(real)
    file.symlink_to(real)
    real.chmod(0o640)

    assert edit("copy.write_text('after')")
    assert ("after", True, 0o640) == (real.read_text(), file.is_symlink(), stat.S_IMODE(real.stat().st_mode))


def test_what_was_not_changed_is_not_written(edit, file):
    inode = file.stat().st_ino

    assert not edit("pass")
    assert (inode, ["n.toml"]) == (file.stat().st_ino, names(file))


@pytest.mark.parametrize("answer", ["\n", "y\n", "YES\n"])
def test_what_is_wrong_is_told_and_edited_again(edit, file, capsys, answer):
    assert edit("copy.write_text('wrong')", "copy.write_text('right')", answers=(answer,))
    assert ("right", ["n.toml"]) == (file.read_text(), names(file))
    assert "nbgate: this is wrong\n  hint: mend it\nEdit it again? [Y/n] " in capsys.readouterr().err


@pytest.mark.parametrize("answers", [("n\n",), ("what\n",), ()])
def test_who_gives_up_keeps_what_they_wrote_beside_the_file(edit, file, answers):
    with pytest.raises(StartError) as caught:
        edit("copy.write_text('wrong')", answers=answers)

    (copy,) = set(file.parent.iterdir()) - {file}
    assert (f"{file} is as it was", ExitCode.CONFIGURATION) == (caught.value.public, caught.value.exit_code)
    assert f"what you wrote is in {copy}" == caught.value.hint
    assert ("before\n", "wrong", 0o600) == (file.read_text(), copy.read_text(), stat.S_IMODE(copy.stat().st_mode))


def test_text_that_is_not_utf_8_is_wrong(edit, file, capsys):
    with pytest.raises(StartError):
        edit("copy.write_bytes(bytes([255]))")

    assert "nbgate: this is not UTF-8 text" in capsys.readouterr().err


def test_two_who_edit_at_once_do_not_lose_each_others_work(edit, file):
    with pytest.raises(StartError, match="changed by somebody else") as caught:
        edit(f"copy.write_text('mine'); pathlib.Path({str(file)!r}).write_text('theirs')")

    assert ("theirs", ExitCode.TRY_AGAIN) == (file.read_text(), caught.value.exit_code)
    assert 2 == len(names(file))


def test_an_editor_that_fails_changes_nothing(edit, file):
    with pytest.raises(StartError, match="the editor ended with 3: nothing was changed"):
        edit("copy.write_text('after'); raise SystemExit(3)")

    assert ("before\n", ["n.toml"]) == (file.read_text(), names(file))


@pytest.mark.parametrize("environ", [{"VISUAL": "/nonexistent/editor"}, {"EDITOR": "'"}])
def test_an_editor_that_is_not_there(file, monkeypatch, environ):
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with pytest.raises(StartError, match="cannot be started") as caught:
        edit_file(file, "", judge, environ)

    assert ("name one: EDITOR=nano nbgate config edit", ["n.toml"]) == (caught.value.hint, names(file))


def test_visual_is_asked_before_editor(file, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    assert not edit_file(file, "", judge, {"VISUAL": "true", "EDITOR": "false"})


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"cannot edit .*: not a directory") as caught:
        edit_file(tmp_path / "file" / "sub" / "n.toml", "", judge, os.environ)

    assert ExitCode.CANNOT_CREATE == caught.value.exit_code


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with pytest.raises(StartError, match=r"cannot edit .*: is a directory") as caught:
        edit_file(tmp_path, "", judge, os.environ)

    assert ExitCode.PERMISSION == caught.value.exit_code


def test_a_file_that_cannot_be_replaced_is_as_it_was(edit, file, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("nbgate.cli.editing.os.chown", refuse)
    monkeypatch.setattr("nbgate.cli.editing.os.getegid", lambda: -1)
    with pytest.raises(StartError, match=r"cannot edit .*: operation not permitted"):
        edit("copy.write_text('after')")

    assert "before\n" == file.read_text()


def test_nothing_is_edited_without_a_terminal(file):
    with pytest.raises(StartError, match="there is no terminal to edit on") as caught:
        edit_file(file, "", judge, {"EDITOR": "false"})

    assert ExitCode.USAGE == caught.value.exit_code
