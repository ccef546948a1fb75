"""What is said about what was mistyped."""

import pytest


@pytest.mark.parametrize(
    ("words", "text", "hint"),
    [
        (["--upstrem", "x"], "unknown flag: --upstrem", "did you mean --upstream?"),
        (["--upstrem=x"], "unknown flag: --upstrem", "did you mean --upstream?"),
        (["--xyzzy"], "unknown flag: --xyzzy", "nbgate --help shows what there is"),
        (["-x"], "unknown flag: -x", "nbgate --help shows what there is"),
        (["--no-port"], "unknown flag: --no-port", "did you mean --port?"),
        (["user", "--x"], "unknown flag: --x", "nbgate user --help shows what there is"),
        (["status", "--fromat", "json"], "unknown flag: --fromat", "did you mean --format?"),
        (["--port", "x"], "--port: 'x' is not an integer from 0 to 65535", "port to listen on"),
        (["--port", "1", "--port", "2"], "--port is given twice", "give it once"),
        (["--upstream"], "--upstream needs a value", "nbgate --help shows what there is"),
        (["--browser=x"], "--browser: 'x' is not true or false", "nbgate --help shows what there is"),
        (["--log-level", "x"], "--log-level: 'x' is not one of debug, info", "nbgate --help shows what there is"),
        (["status", "--format", "x"], "--format: 'x' is not one of table, json", "nbgate status --help shows"),
        (["stauts"], "unknown command: stauts", "did you mean nbgate status?"),
        (
            ["--config", "n.toml", "user", "list"],
            "the command comes before its flags: user",
            "did you mean nbgate user ...",
        ),
        (["xyzzy"], "unknown command: xyzzy", "nbgate --help shows what there is"),
        (["user", "ad", "x"], "unknown command: user ad", "did you mean nbgate user add?"),
        (["completion", "tcsh"], "unknown command: completion tcsh", "nbgate completion --help shows what there is"),
        (["user", "add"], "NAME is missing", "nbgate user add NAME"),
        (["user", "add", "ada", "hunter2"], "too many arguments", "a password is no argument"),
        (["user", "add", "ada", "--pasword=hunter2"], "unknown flag: --pasword", "did you mean --password-stdin?"),
        (["config", "check", "a", "b"], "too many arguments", "nbgate config check --help shows what there is"),
        (["config", "default", "x"], "too many arguments", "nbgate config default --help shows what there is"),
        (
            ["--workers", "some"],
            "--workers: 'some' is not an integer from 1 to 256 or auto",
            "worker processes, or auto",
        ),
        (["--ip", "127.0.01"], "--ip: '127.0.01' is not an address", "did you mean 127.0.0.1?"),
        (["--xy\x1b]0;owned\x07"], r"unknown flag: --xy\x1b]0;owned\x07", "nbgate --help shows what there is"),
    ],
)
def test_what_is_mistyped_is_one_line_and_a_hint(run, folder, words, text, hint):
    code, out, err = run(*words)
    first, second = err.splitlines()

    assert (2, "") == (code, out)
    assert first.startswith(f"nbgate: {text}")
    assert second.startswith(f"  hint: {hint}")
    assert "hunter2" not in err
