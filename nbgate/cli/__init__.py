"""The command line. One file per command; it starts processes or asks running ones, and decides nothing else.

Importing it costs little: each command's own imports happen when that command runs.
"""

import sys

from nbgate import __version__
from nbgate.errors import ExitCode, NbgateError


def main(words: list[str] | None = None) -> int:
    """Run one command; return its exit code.

    Args:
        words: The arguments, without the program's name; None for this process's own.
    """
    words = sys.argv[1:] if words is None else words
    if words == ["--version"]:
        print(f"nbgate {__version__}")
        return ExitCode.DONE
    from nbgate.cli.output import print_error
    from nbgate.cli.parser import run_command

    try:
        return run_command(words)
    except NbgateError as error:
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # whoever reads our answer has read enough: `nbgate status | head -1`
        sys.stdout = None
        return ExitCode.DONE
