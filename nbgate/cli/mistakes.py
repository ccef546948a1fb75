"""Say what was mistyped on the command line, and what to type instead.

Turns the parser's errors into ours; never repeats what follows a user's name: it may be a password.
"""

from collections.abc import Sequence
from difflib import get_close_matches

from cyclopts.argument import Argument
from cyclopts.exceptions import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from nbgate.cli.commands import command_of, commands_below
from nbgate.config.kinds import in_words
from nbgate.errors import ExitCode, StartError


def usage_error(error: CycloptsError, words: Sequence[str]) -> StartError:
    """Return what to say about `words`, which the parser refused with `error`."""
    command = command_of(words)
    named = command.words if command else ""
    match error:
        case UnknownOptionError():
            word = (error.token.keyword or error.token.value).partition("=")[0]
            known = [name for argument in error.argument_collection for name in argument.names if argument.show]
            return _mistake(f"unknown flag: {word}", _guess(word, known) or _see(named))
        case CoercionError(argument=Argument() as argument, token=token):
            given = "" if token is None else f"{token.value!r} "
            return _mistake(f"{argument.name}: {given}is not {in_words(argument.hint)}", _see(named))
        case MissingArgumentError(argument=Argument() as argument):
            return _missing(argument, named)
        case RepeatArgumentError():
            word = error.token.keyword or error.token.value
            return _mistake(f"{word} is given twice", "give it once")
        case UnknownCommandError() | UnusedCliTokensError():
            return _unused(named, (error.unused_tokens or [""])[0])
        case _:
            text = str(error)
            return _mistake(text[:1].lower() + text[1:].rstrip("."), _see(named))


def _missing(argument: Argument, named: str) -> StartError:
    if argument.name.startswith("-"):
        return _mistake(f"{argument.name} needs a value", _see(named))
    return _mistake(f"{argument.name} is missing", f"nbgate {named} {argument.name}")


def _unused(named: str, word: str) -> StartError:
    below = [command.words.rpartition(" ")[2] for command in commands_below(named)]
    if word.startswith("-"):
        return _mistake(f"unknown flag: {word.partition('=')[0]}", _see(named))
    if not below:
        hint = "a password is no argument: it is asked for, or read with --password-stdin"
        return _mistake("too many arguments", hint if named.startswith("user ") else _see(named))
    if word in below:
        return _mistake(f"the command comes before its flags: {word}", f"did you mean nbgate {word} ...?")
    guess = _guess(word, below, prefix=f"nbgate {named} " if named else "nbgate ")
    return _mistake(f"unknown command: {' '.join(filter(None, (named, word)))}", guess or _see(named))


def _guess(word: str, known: Sequence[str], prefix: str = "") -> str:
    close = get_close_matches(word, known, n=1)
    return f"did you mean {prefix}{close[0]}?" if close else ""


def _see(named: str) -> str:
    return " ".join(filter(None, ("nbgate", named, "--help shows what there is")))


def _mistake(text: str, hint: str) -> StartError:
    return StartError(text, hint=hint, exit_code=ExitCode.USAGE)
