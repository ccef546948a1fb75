"""The commands, as typed."""

import fcntl
import json
import os
import subprocess
import sys

import pytest

from nbgate import __version__
from nbgate.cli import main
from nbgate.cli import user as user_module
from nbgate.keeper.users import Accounts

PASSWORD = b"a parrot on the third shelf\n"

STATUS = {
    "version": "0.1.0",
    "ready": True,
    "keeper_started": "t",
    "listening": ["https://127.0.0.1:8443/"],
    "certificate_sha256": "AA:BB",
    "policy_version": 1,
    "users": 1,
    "sessions": 2,
    "processes": [
        {"role": "keeper", "pid": 10, "started": "t0", "restarts": 0},
        {
            "role": "worker", "pid": 11, "started": "t1", "restarts": 3, "worker": 1, "linked": True,
            "confinement": ["no_new_privs", "landlock 7: files"], "accepting": True,
            "connections": 4, "websockets": 5, "requests": 6,
        },
    ],
    "upstreams": [
        {"name": "nb", "address": "127.0.0.1:8888", "base_url": "/", "condition": "down", "since": "t2", "hint": "start it"},
        {"name": "ok", "address": "127.0.0.1:9999", "base_url": "/", "condition": "guarded", "since": "t3", "hint": ""},
    ],
    "audit": {"failing_since": None, "segment": "audit-000000000000.jsonl", "next_seq": 7},
}  # fmt: skip


def test_the_version_is_answered_before_anything_is_imported():
    script = "import sys; from nbgate.cli import main; main(['--version']); print(sorted({'cyclopts', 'aiohttp', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (f"nbgate {__version__}\n[]\n", "") == (done.stdout, done.stderr)


def test_the_version_is_one_line(run):
    assert (0, f"nbgate {__version__}\n", "") == run("--version")


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "nbgate", "--version"], capture_output=True, text=True)

    assert (0, f"nbgate {__version__}\n") == (done.returncode, done.stdout)


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


def test_accounts_without_a_gateway_are_changed_in_the_store(run, folder, typed):
    typed(PASSWORD)
    assert (0, "", "nbgate: user ada: added\n") == run(
        "user", "add", "Ada", "--password-stdin", "--config", "cheap.toml"
    )
    assert (0, "", "nbgate: user ada: disabled\n") == run("user", "disable", "ada")
    _, out, _ = run("user", "list", "--format", "json")
    (ada,) = json.loads(out)
    assert ("ada", True) == (ada["name"], ada["disabled"])
    assert (0, "", "nbgate: user ada: enabled\n") == run("user", "enable", "ada")
    typed(PASSWORD)
    passwd = ("user", "passwd", "ada", "--password-stdin", "--config", "cheap.toml")
    assert (0, "", "nbgate: user ada: password set\n") == run(*passwd)
    _, out, _ = run("user", "list")
    assert ["name", "state", "created", "ada", "active"] == out.split()[:5]
    assert (0, "", "nbgate: user ada: removed\n") == run("user", "remove", "ada")
    audit = b"".join(path.read_bytes() for path in (folder / "audit").glob("*.jsonl"))
    assert f"uid:{os.geteuid()}".encode() in audit
    assert PASSWORD.strip() not in audit


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("user", "remove", "nobody"), 1, "there is no user nobody"),
        (("user", "remove", "no body"), 2, "this is no user name"),
        (("status",), 1, "no gateway runs with the data folder"),
        (("reload",), 1, "no gateway runs with the data folder"),
        (("user", "list", "--config", "missing.toml"), 78, "the configuration missing.toml does not exist"),
    ],
)
def test_what_cannot_be_done_without_a_gateway(run, folder, words, code, text):
    found, out, err = run(*words)

    assert (code, "") == (found, out)
    assert err.startswith(f"nbgate: {text}")
    assert "  hint: " in err


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (
            ("add", "ada", "--password-stdin"),
            ("POST", "/users", {"name": "ada", "password": PASSWORD.decode().strip()}),
        ),
        (("passwd", "ada", "--password-stdin"), ("POST", "/users/ada/passwd", {"password": PASSWORD.decode().strip()})),
        (("disable", "a/b"), ("POST", "/users/a%2Fb/disable", None)),
        (("enable", "ada"), ("POST", "/users/ada/enable", None)),
        (("remove", "ada"), ("DELETE", "/users/ada", None)),
    ],
)
def test_a_running_gateway_is_asked(run, gateway, typed, words, asked):
    typed(PASSWORD)
    gateway.answers.append((200, {"user": "ada", "message": "changed", "ended_sessions": 2}))

    assert (0, "", "nbgate: user ada: changed; sessions ended: 2\n") == run("user", *words)
    ((method, path, _, body),) = gateway.asked
    assert asked == (method, path, body)


def test_accounts_of_a_running_gateway_are_listed(run, gateway):
    gateway.answers.append((200, {"users": [{"name": "ada", "disabled": True, "created": "now"}]}))

    assert (0, "name  state     created\nada   disabled  now\n", "") == run("user", "list")


def test_a_gateway_that_has_just_started_is_asked_after_all(run, gateway, folder, monkeypatch):
    connect = user_module.maybe_connect
    answers = [lambda folder: None, connect]
    monkeypatch.setattr(user_module, "maybe_connect", lambda folder: (answers.pop(0))(folder))
    gateway.answers.append((200, {"users": []}))
    with (folder / "lock").open("w") as lock:
        (folder / "lock").chmod(0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert (0, "name  state  created\n", "") == run("user", "list")


def test_a_folder_that_is_held_by_one_who_does_not_answer_is_try_again(run, folder):
    folder.mkdir(mode=0o700)
    with (folder / "lock").open("w") as lock:
        (folder / "lock").chmod(0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, _, err = run("user", "list")

    assert 75 == code
    assert "uses" in err


def test_status_is_a_table_for_people_and_json_for_programs(run, gateway):
    gateway.answers += [(200, STATUS)] * 2

    code, out, err = run("status")
    assert (0, "") == (code, err)
    assert "listening    https://127.0.0.1:8443/\n" in out
    assert "audit        written, next record 7 in audit-000000000000.jsonl\n" in out
    assert "upstream     127.0.0.1:8888 is down since t2: start it\n" in out
    assert "upstream     127.0.0.1:9999 is guarded since t3\n" in out
    assert "keeper    10   0         t0\n" in out
    assert (
        "worker 1  11   3         t1       4            5           6         no_new_privs, landlock 7: files\n" in out
    )
    assert STATUS == json.loads(run("status", "--format", "json")[1])


def test_status_says_what_does_not_work(run, gateway):
    audit = {**STATUS["audit"], "failing_since": "t9"}
    gateway.answers.append((200, {**STATUS, "ready": False, "audit": audit}))
    out = run("status")[1]

    assert "ready        no\n" in out
    assert "audit        cannot be written since t9, next" in out


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ([], "nbgate: configuration 2 is in force\n"),
        (["ip", "port"], "nbgate: configuration 2 is in force\n  hint: a restart is needed for: ip, port\n"),
    ],
)
def test_reload_says_what_is_in_force(run, gateway, waiting, expected):
    gateway.answers.append((200, {"version": 2, "needs_restart": waiting}))

    assert (0, "", expected) == run("reload")
    assert ("POST", "/reload") == gateway.asked[0][:2]


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (BrokenPipeError, 0)])
def test_an_interrupted_command_and_a_reader_who_has_enough(folder, monkeypatch, error, code):
    def fail(words):
        raise error

    monkeypatch.setattr("nbgate.cli.parser.run_command", fail)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", sys.stdout)
        assert code == main(["status"])


def test_the_offline_accounts_are_the_keepers_own():
    assert "nbgate.keeper.users" == Accounts.__module__
