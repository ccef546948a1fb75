"""What is typed, and what is said where it is mistyped."""

import pytest


@pytest.mark.parametrize("words", [("--help",), ("user", "--help"), ("user", "add", "--help"), ("status", "--help")])
def test_help_is_plain_text_on_standard_output(run, words):
    code, out, err = run(*words)

    assert (0, "") == (code, err)
    assert out.startswith("Usage: nbgate")


@pytest.mark.parametrize(
    ("words", "text", "hint"),
    [
        (["--upstrem", "x"], "unknown option: --upstrem", "did you mean --upstream?"),
        (["--xyzzy"], "unknown option: --xyzzy", "nbgate --help shows what there is"),
        (["--port", "x"], 'invalid value for --port: unable to convert "x" into int', "nbgate --help"),
        (["--upstream"], "parameter --upstream requires an argument", "nbgate --help"),
        (["stauts"], "unknown command: stauts", "did you mean nbgate status?"),
        (
            ["--config", "n.toml", "user", "list"],
            "the command comes before its flags: user",
            "did you mean nbgate user",
        ),
        (["xyzzy"], "unknown command: xyzzy", "nbgate --help shows what there is"),
        (["user", "ad", "x"], 'unknown command "ad"', 'did you mean "add"?'),
        (["user", "add"], 'command "user add" parameter NAME requires an argument', "nbgate --help"),
        (["user", "add", "ada", "hunter2"], "too many arguments", "a password is no argument"),
        (["--workers", "some"], "--workers: invalid enum value 'some'", "worker processes, or auto"),
        (["--workers", "0"], "--workers: expected `int` >= 1", "worker processes, or auto"),
        (["--ip", "127.0.01"], "--ip: '127.0.01' is not an address", "did you mean 127.0.0.1?"),
        ([], "no upstream: where is the notebook server?", "nbgate --upstream localhost:8888"),
    ],
)
def test_what_is_mistyped_is_one_line_and_a_hint(run, folder, words, text, hint):
    code, out, err = run(*words)
    first, second = err.splitlines()

    assert (2, "") == (code, out)
    assert first.startswith(f"nbgate: {text}")
    assert second.startswith(f"  hint: {hint}")
    assert "hunter2" not in err
