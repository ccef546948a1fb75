"""Have a person edit a file without ever leaving a wrong one in its place.

The editor works on a private copy; it replaces the file in one step, and only when nothing is wrong with it. What is
wrong, `judge` says: nothing here knows what the file is about.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nbgate.errors import ExitCode, NbgateError, StartError
from nbgate.files import sync_folder
from nbgate.terminal import print_error, say

FALLBACK_EDITOR = "vi"


def edit_file(path: Path, first: str, judge: Callable[[str], None], environ: Mapping[str, str]) -> bool:
    """Edit `path`; return whether it was changed.

    Args:
        path: The file; it need not be there.
        first: What to begin with when it is not there.
        judge: Raises a NbgateError that says what is wrong with a text.
        environ: `VISUAL`, or else `EDITOR`, names the editor.

    Raises:
        StartError: There is no terminal (2), no editor, no right to read or write (77, 73), the file was changed
            meanwhile (75), or the person gave up on what is wrong (78). The file is as it was.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise StartError(
            "there is no terminal to edit on",
            hint=f"change {path} by other means, then type nbgate config check",
            exit_code=ExitCode.USAGE,
        )
    path = path.resolve()  # a link stays: what it leads to is replaced
    before = _maybe_read(path)
    copy = _make_copy(path, first.encode() if before is None else before)
    while True:
        _run_editor(copy, environ)
        after = copy.read_bytes()
        if after == before:
            copy.unlink()
            return False
        try:
            judge(_decoded(after))
            break
        except NbgateError as error:
            print_error(error)
            if not _again():
                raise _given_up(path, copy, ExitCode.CONFIGURATION) from error
    if _maybe_read(path) != before:
        raise _given_up(path, copy, ExitCode.TRY_AGAIN)
    _replace(path, copy)
    return True


@contextmanager
def _allowed(path: Path, exit_code: ExitCode) -> Iterator[None]:
    """Say which file it was that this user may not read or write."""
    try:
        yield
    except OSError as error:
        raise StartError(
            f"cannot edit {path}: {(error.strerror or str(error)).lower()}",
            hint="run it as the user whose file it is, or name another one with --config",
            exit_code=exit_code,
        ) from error


def _maybe_read(path: Path) -> bytes | None:
    with _allowed(path, ExitCode.PERMISSION):
        return path.read_bytes() if path.exists() else None


def _make_copy(path: Path, content: bytes) -> Path:
    with _allowed(path, ExitCode.CANNOT_CREATE):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    return Path(name)


def _run_editor(copy: Path, environ: Mapping[str, str]) -> None:
    editor = environ.get("VISUAL") or environ.get("EDITOR") or FALLBACK_EDITOR
    try:
        code = subprocess.run([*shlex.split(editor), str(copy)], check=False).returncode  # noqa: S603 - the person's own
    except (OSError, ValueError) as error:
        copy.unlink()
        raise StartError(
            f"the editor {editor} cannot be started: {error}", hint="name one: EDITOR=nano nbgate config edit"
        ) from error
    if code:
        copy.unlink()
        raise StartError(
            f"the editor ended with {code}: nothing was changed", hint="try again, or name another $EDITOR"
        )


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise StartError("this is not UTF-8 text", hint="save it as UTF-8") from None


def _again() -> bool:
    print("Edit it again? [Y/n] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    return answer.endswith("\n") and answer.strip().lower() in {"", "y", "yes"}


def _given_up(path: Path, copy: Path, code: ExitCode) -> StartError:
    why = "was changed by somebody else meanwhile" if code == ExitCode.TRY_AGAIN else "is as it was"
    return StartError(f"{path} {why}", hint=f"what you wrote is in {copy}", exit_code=code)


def _replace(path: Path, copy: Path) -> None:
    """The copy takes over owner and mode; a new file stays private."""
    with _allowed(path, ExitCode.PERMISSION):
        if path.exists():
            older = path.stat()
            if (older.st_uid, older.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(copy, older.st_uid, older.st_gid)
            copy.chmod(older.st_mode & 0o7777)
        copy.replace(path)
        sync_folder(path.parent)
    say(f"nbgate: {path} was changed")
