"""Show a person the secret of a second factor, have them prove that it arrived, and show the recovery codes once.

Says nothing of where the secret comes from; it keeps none, and writes none anywhere but on the terminal.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence

from nbgate.cli.dialogue import read_line
from nbgate.errors import StartError
from nbgate.terminal import say

TRIES = 3
_GROUP_CHARS = 4


def show_secret(secret: str, uri: str) -> None:
    """Show the secret as a QR code, where the terminal can, and in letters.

    Args:
        secret: Base32.
        uri: The `otpauth://` URI that says the same to an app.
    """
    say("Add it to an app for codes: scan this, or type the secret.")
    _show_qr(uri)
    groups = [secret[start : start + _GROUP_CHARS] for start in range(0, len(secret), _GROUP_CHARS)]
    say(f"Secret: {' '.join(groups)}")


def _show_qr(uri: str) -> None:
    """Dark is the terminal's background: readers take a code that is inverted too."""
    import segno  # costs more than most commands

    code = segno.make(uri, micro=False)
    if "utf" not in (sys.stderr.encoding or "").lower():
        say("  hint: this terminal has no characters for a QR code: its locale is not UTF-8")
    elif code.symbol_size()[0] > shutil.get_terminal_size().columns:
        say("  hint: this terminal is too narrow for the QR code: make it wider and begin again, or type the secret")
    else:
        code.terminal(out=sys.stderr, compact=True)


def typed_codes() -> Iterator[str]:
    """Ask for a code of the app, again for as long as the one before was not right; leave off once it was.

    Raises:
        StartError: The person ended the dialogue, or three codes were wrong.
    """
    for _ in range(TRIES):
        try:
            typed = read_line("Code that the app shows now: ")
        except EOFError:
            raise StartError("no code was typed: nothing was changed", hint="begin again when you like") from None
        yield "".join(typed.split())
        say("nbgate: this code is not right")
        say("  hint: type the one that the app shows now; phone and machine must agree about the time")
    raise StartError(
        f"{TRIES} codes were wrong: nothing was changed", hint="look at the clocks of phone and machine, then try again"
    )


def print_codes(codes: Sequence[str]) -> None:
    """Write the recovery codes to standard output, so that they can be kept."""
    say("nbgate: recovery codes, each good once where a code is asked for; they are not shown again:")
    for code in codes:
        print(code)
    sys.stdout.flush()
    say("  hint: keep them where they are not lost together with the phone")
