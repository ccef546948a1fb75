"""The command line. One file per command; it starts processes or asks running ones, and decides nothing else.

Importing it costs next to nothing: what a command needs is imported when it runs.
"""

import os
import sys

from nbgate import __version__


def main(words: list[str] | None = None) -> int:
    """Run one command; return its exit code.

    Args:
        words: The arguments, without the program's name; None for this process's own.
    """
    words = sys.argv[1:] if words is None else words
    if words == ["--version"]:
        print(f"nbgate {__version__}")
        return 0
    from nbgate.cli.parser import run_command
    from nbgate.errors import ExitCode, NbgateError
    from nbgate.terminal import print_error

    try:
        code = run_command(words)
        sys.stdout.flush()
    except NbgateError as error:
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # whoever reads our answer has read enough: `nbgate status | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is flushed at exit
        return ExitCode.DONE
    return code
