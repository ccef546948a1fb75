"""`nbgate completion ...`: the scripts that complete commands and flags in a shell.

They are static: completing a word starts no Python, and knows the commands of the nbgate that wrote the script.
"""

from typing import Literal

from nbgate.errors import ExitCode


def print_bash() -> int:
    """Write the script for bash."""
    return _print("bash")


def print_zsh() -> int:
    """Write the script for zsh."""
    return _print("zsh")


def print_fish() -> int:
    """Write the script for fish."""
    return _print("fish")


def _print(shell: Literal["bash", "zsh", "fish"]) -> int:
    from nbgate.cli.parser import make_app

    print(make_app().generate_completion(shell=shell))
    return ExitCode.DONE
