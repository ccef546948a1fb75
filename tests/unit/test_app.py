"""The command line the supervisor uses, and which wing each child imports."""

import subprocess
import sys

import pytest

from nbgate import app


def without_apps(given):
    return tuple(value for value in given if type(value).__name__ != "Apps")


@pytest.mark.parametrize(
    ("arguments", "target", "called_with"),
    [
        (["keeper", "--control-fd", "3", "--source", "{}"], "nbgate.keeper.process.run_keeper", (3, "{}")),
        (
            ["keeper", "--control-fd", "3", "--source", "{}", "--replaces"],
            "nbgate.keeper.process.run_keeper",
            (3, "{}", True),
        ),
        (
            ["worker", "--control-fd", "4", "--listen-fds", "5,6", "--id", "1"],
            "nbgate.edge.process.run_worker",
            (4, (5, 6)),
        ),
        (
            ["worker", "--control-fd", "4", "--listen-fds", "5", "--id", "0"],
            "nbgate.edge.process.run_worker",
            (4, (5,), 0),
        ),
        (
            ["worker", "--control-fd", "4", "--listen-fds", "5,6", "--http-port", "8080", "--id", "0"],
            "nbgate.edge.process.run_worker",
            (4, (5, 6), 8080),
        ),
    ],
)
@pytest.mark.parametrize("code", [0, 78])
def test_each_role_runs_its_wing_and_its_exit_code_is_ours(monkeypatch, arguments, target, called_with, code):
    calls = []

    def run(*given, **named):
        calls.append((*given, *named.values()))
        return code

    monkeypatch.setattr(target, run)
    assert code == app.main(arguments)
    assert [called_with] == [without_apps(given)[: len(called_with)] for given in calls]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["supervisor"],
        ["keeper"],
        ["keeper", "--control-fd", "x", "--source", ""],
        ["keeper", "--control-fd", "3"],
        ["worker", "--control-fd", "3", "--id", "1"],
        ["worker", "--control-fd", "3", "--listen-fds", "4", "--id", "x"],
    ],
)
def test_anything_else_is_a_usage_error(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        app.main(arguments)
    assert 2 == ended.value.code
    assert "usage: python -m nbgate.app" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wing", "absent"),
    [
        ("nbgate.edge.process", ["sqlite3", "aiohttp", "argon2", "nbgate.keeper", "nbgate.stores", "nbgate.web"]),
        ("nbgate.app", ["sqlite3", "aiohttp", "asyncio", "ssl", "nbgate.keeper", "nbgate.edge"]),
    ],
)
def test_a_process_has_no_code_of_another_wing(wing, absent):
    code = f"import sys, {wing}; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert "[]" == done.stdout.strip()
