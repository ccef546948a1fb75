"""From the command line to the supervisor."""

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import nbgate
from nbgate.cli import serve
from nbgate.cli.serve import child_environment, make_plan, needed_environment, prepare_process, require_apart
from nbgate.config.document import Source
from nbgate.config_file import load_config
from nbgate.errors import ExitCode, StartError

HOME = Path(nbgate.__file__).resolve().parent.parent


class FakeSupervisor:
    """Remembers what it was to run."""

    made: tuple = ()
    opens_browser = False

    def __init__(self, plan, sockets, *, say, notify, on_listening) -> None:
        FakeSupervisor.made = (plan, [sock.getsockname() for sock in sockets])
        FakeSupervisor.opens_browser = on_listening is serve.open_browser
        for sock in sockets:
            sock.close()

    def run(self) -> int:
        return 42


@pytest.fixture
def supervised(monkeypatch):
    monkeypatch.setattr(serve, "Supervisor", FakeSupervisor)
    monkeypatch.setattr(serve, "prepare_process", lambda: None)
    return FakeSupervisor


def test_flags_reach_the_supervisor_and_its_exit_code_is_ours(run, folder, supervised):
    code, _, err = run("--upstream", "localhost:8888", "--port", "0", "--workers", "3", "--allow-open-upstream")
    plan, ((ip, port),) = supervised.made

    assert (42, "") == (code, err)
    assert ("127.0.0.1", True) == (ip, port > 0)
    assert (3, "127.0.0.1", 30.0) == (plan.workers, plan.ip, plan.drain_seconds)
    assert (sys.executable, "-P", "-m", "nbgate.app") == plan.program
    source = msgspec.json.decode(plan.source_json, type=Source)
    flags = {"upstream": ["localhost:8888"], "port": "0", "workers": "3", "allow_open_upstream": True}
    assert flags == source.flags
    assert str(folder) == load_config(source).config.data_dir


@pytest.mark.parametrize(("words", "expected"), [(("--browser",), True), (("--no-browser",), False), ((), False)])
def test_the_browser_is_opened_where_it_is_wanted(run, folder, supervised, words, expected):
    assert 42 == run("--upstream", "localhost:8888", "--port", "0", *words)[0]
    assert expected == supervised.opens_browser


def test_who_wants_no_account_wants_no_gateway(run, folder, supervised, monkeypatch):
    sockets = []
    monkeypatch.setattr(serve, "bind", lambda loaded: sockets)
    monkeypatch.setattr(serve, "ask_for_first_user", lambda loaded: ExitCode.INTERRUPTED)
    FakeSupervisor.made = ()

    assert (ExitCode.INTERRUPTED, ()) == (run("--upstream", "localhost:8888", "--port", "0")[0], supervised.made)


@pytest.mark.parametrize(
    ("retries", "in_a_row", "at_random"), [(0, 1, 0), (1, 2, 0), (4, 5, 0), (5, 5, 1), (50, 5, 46)]
)
def test_the_ports_to_try_are_those_of_notebook_servers(retries, in_a_row, at_random):
    asked = []

    def randint(low, high):
        asked.append((low, high))
        return low

    ports = list(serve.ports_to_try(8443, retries, randint))

    assert [8443 + number for number in range(in_a_row)] == ports[:in_a_row]
    assert [(8443 - 2 * (retries + 1), 8443 + 2 * (retries + 1))] * at_random == asked
    assert retries + 1 == len(ports)


@pytest.mark.parametrize(
    ("first", "ports"), [(0, [0]), (1, [1, 2, 3, 4, 5]), (65534, [65534, 65535]), (65535, [65535])]
)
def test_no_port_is_tried_that_is_none(first, ports):
    assert ports == list(serve.ports_to_try(first, 0 if first == 0 else 4, lambda low, high: low))


@pytest.fixture
def occupied(monkeypatch):
    """Two ports in a row, the first one occupied, as if the first were the default."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as next_one:
            port = server.getsockname()[1]
            try:
                next_one.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            next_one.close()
            yield port
            return


def loaded_with(occupied, **flags):
    source = Source(flags={"upstream": ["localhost:8888"], "data_dir": "/nonexistent", **flags})
    loaded = load_config(source)
    config = msgspec.structs.replace(loaded.config, port=occupied)
    return msgspec.structs.replace(loaded, config=config)


@pytest.mark.parametrize("ip", ["127.0.0.1", "localhost"])
def test_an_occupied_default_port_on_loopback_is_said_and_the_next_one_taken(occupied, capsys, ip):
    sockets = serve.bind(loaded_with(occupied, ip=ip))

    assert {occupied + 1} == {sock.getsockname()[1] for sock in sockets}
    assert f"nbgate: port {occupied} is in use, trying {occupied + 1}\n" == capsys.readouterr().err
    for sock in sockets:
        sock.close()


@pytest.mark.parametrize("flags", [{"ip": "*"}, {"ip": "0.0.0.0"}, {"port": 8443}, {"port_retries": 0}])
def test_an_occupied_port_that_somebody_chose_or_others_reach_is_an_error(occupied, capsys, flags):
    with pytest.raises(StartError, match="is already in use") as caught:
        serve.bind(loaded_with(occupied, **flags))

    assert (ExitCode.TRY_AGAIN, "") == (caught.value.exit_code, capsys.readouterr().err)


def test_another_mistake_is_not_answered_by_another_port(monkeypatch, capsys):
    def refuse(ip, port, *, mistyped, flag="--port"):
        raise StartError("no", exit_code=ExitCode.PERMISSION)

    monkeypatch.setattr(serve, "bind_sockets", refuse)
    with pytest.raises(StartError):
        serve.bind(loaded_with(8443))
    assert "" == capsys.readouterr().err


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_the_sockets_of_plain_http_come_last(free_port):
    sockets = serve.bind(loaded_with(0, http_port=free_port, ip="localhost"))

    assert [free_port, free_port] == [sock.getsockname()[1] for sock in sockets[2:]]
    assert free_port not in {sock.getsockname()[1] for sock in sockets[:2]}
    for sock in sockets:
        sock.close()


def test_an_occupied_port_of_plain_http_is_an_error_that_names_its_flag(occupied, free_port, capsys):
    with pytest.raises(StartError, match=f"port {occupied} on 127.0.0.1 is already in use") as caught:
        serve.bind(loaded_with(free_port, http_port=occupied))

    assert "take another with --http-port" in caught.value.hint
    assert "" == capsys.readouterr().err


def test_a_port_that_was_not_chosen_never_moves_to_that_of_plain_http(occupied, capsys):
    sockets = serve.bind(loaded_with(occupied, http_port=occupied + 1))

    assert occupied + 1 == sockets[1].getsockname()[1]
    assert sockets[0].getsockname()[1] not in {occupied, occupied + 1}
    assert f"port {occupied + 1} is in use" in capsys.readouterr().err
    for sock in sockets:
        sock.close()


def test_where_the_gateway_cannot_listen_its_port_of_plain_http_is_free_again(occupied, free_port):
    with pytest.raises(StartError):
        serve.bind(loaded_with(occupied, http_port=free_port, port_retries=0))
    socket.create_server(("127.0.0.1", free_port)).close()


def test_auto_is_one_worker_for_each_core_we_may_use(folder):
    source = Source(flags={"workers": "auto", "upstream": "localhost:1"}, environ={"NBGATE_DATA_DIR": str(folder)})

    assert len(os.sched_getaffinity(0)) == make_plan(source, load_config(source)).workers


@pytest.mark.parametrize(("words", "code"), [(("--ip", "192.0.2.1"), 2), ((), 78)])
def test_an_address_of_another_machine_is_mistyped_where_it_was_typed(run, folder, tmp_path, supervised, words, code):
    (tmp_path / "n.toml").write_text('ip = "192.0.2.1"\nupstream = "localhost:8888"\n')
    found, _, err = run("--config", "n.toml", *words)

    assert code == found
    assert err.startswith("nbgate: 192.0.2.1 is not an address of this machine\n  hint: ")


@pytest.mark.parametrize(
    ("home", "before", "after"),
    [
        ("/v/lib/python3.11/site-packages", {"A": "1"}, {"A": "1"}),
        ("/usr/lib/python3/dist-packages", {"PYTHONPATH": "/x"}, {"PYTHONPATH": "/x"}),
        ("/src", {"A": "1"}, {"A": "1", "PYTHONPATH": "/src"}),
        ("/src", {"PYTHONPATH": "/x"}, {"PYTHONPATH": "/src:/x"}),
        ("/v/site-packages", {"NOTIFY_SOCKET": "/n", "WATCHDOG_PID": "1", "WATCHDOG_USEC": "1"}, {}),
    ],
)
def test_children_import_from_where_we_were_imported(home, before, after):
    assert after == child_environment(before, Path(home))


def test_children_do_not_import_from_the_current_folder(tmp_path):
    (tmp_path / "argparse.py").write_text("raise SystemExit('hijacked')\n")
    environ = child_environment({"PATH": os.environ["PATH"]}, HOME)
    command = [sys.executable, "-P", "-m", "nbgate.app", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("inside", ["", "state", "a/../b"])
def test_the_data_folder_is_not_where_workers_may_read(tmp_path, monkeypatch, inside):
    monkeypatch.setattr(serve, "own_folders", lambda: (Path("/nonexistent"), tmp_path))
    with pytest.raises(StartError, match="where the program itself is") as caught:
        require_apart(tmp_path / inside)

    assert ExitCode.CONFIGURATION == caught.value.exit_code
    require_apart(tmp_path.parent)
    require_apart(tmp_path.parent / f"{tmp_path.name}-state")


def test_a_link_does_not_hide_where_the_data_folder_is(tmp_path, monkeypatch):
    program = tmp_path / "program"
    program.mkdir()
    (tmp_path / "link").symlink_to(program)
    monkeypatch.setattr(serve, "own_folders", lambda: (program,))
    with pytest.raises(StartError):
        require_apart(tmp_path / "link" / "state")


def test_the_process_that_becomes_the_supervisor_loads_neither_event_loop_nor_tls():
    script = "import sys, nbgate.cli.parser, nbgate.cli.serve; print({'asyncio', 'ssl', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ("set()\n", "") == (done.stdout, done.stderr)


LIMITS = """
import os, resource
from nbgate.cli.serve import prepare_process
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4096))
prepare_process()
print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_what_every_process_inherits():
    done = subprocess.run([sys.executable, "-c", LIMITS], capture_output=True, text=True)

    assert ("0o77 (0, 0) (4096, 4096)\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((1024, resource.RLIM_INFINITY), (serve.MAX_OPEN_FILES, resource.RLIM_INFINITY)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
        ((4096, 4096), None),
        ((1024, 4096), (4096, 4096)),
    ],
)
def test_as_many_descriptors_as_allowed_and_useful(monkeypatch, limits, expected):
    changed = {}
    monkeypatch.setattr(serve.resource, "getrlimit", lambda kind: limits)
    monkeypatch.setattr(serve.resource, "setrlimit", changed.__setitem__)
    monkeypatch.setattr(serve, "keep_secrets", lambda: changed.setdefault("secrets", "kept"))
    prepare_process()

    assert expected == changed.get(resource.RLIMIT_NOFILE)
    assert "kept" == changed["secrets"]


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LC_ALL", "TZ", "PYTHONPATH", "SSL_CERT_FILE", "JUPYTER_RUNTIME_DIR", "XDG_DATA_HOME"]
)
def test_children_get_what_their_libraries_read(name):
    assert {name: "x"} == needed_environment({name: "x"})


@pytest.mark.parametrize(
    "name", ["JUPYTER_TOKEN", "AWS_SECRET_ACCESS_KEY", "NBGATE_PORT", "SSH_AUTH_SOCK", "DISPLAY", "PASSWORD"]
)
def test_children_get_no_secret_of_another_program(name):
    assert {} == needed_environment({name: "x"})


def test_what_is_run_has_that_environment_and_says_the_port_of_plain_http(monkeypatch, folder):
    monkeypatch.setenv("JUPYTER_TOKEN", "s3cret")
    source = Source(flags={"http_port": "8080"}, environ={"NBGATE_DATA_DIR": str(folder)})
    plan = make_plan(source, load_config(source))

    assert (8080, False) == (plan.http_port, "s3cret" in plan.environ.values())
    assert os.environ["PATH"] == plan.environ["PATH"]
