"""The supervisor with real processes: small scripts in place of keeper and worker."""

import os
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nbgate.errors import ExitCode
from nbgate.supervisor import child as child_module
from nbgate.supervisor import sockets
from nbgate.supervisor.loop import Supervisor, _how

NEVER_READY = "forever()"


def index(log: list[str], text: str) -> int:
    return next(at for at, line in enumerate(log) if text in line)


def test_keeper_and_workers_start_get_linked_and_the_first_ready_worker_opens_the_house(supervise):
    house = supervise(workers=2)
    house.until_logged("linked b'to 1'")
    house.until_logged("linked b'to 2'")
    house.until_logged("keeper Listening")

    assert [f"nbgate: listening on https://127.0.0.1:{house.port}/"] == house.said
    assert 1 == house.count(f"keeper Listening(urls=('https://127.0.0.1:{house.port}/',)")
    started = [line for line in house.log if "what='started'" in line]
    assert [("keeper", 0), ("worker", 1), ("worker", 2)] == [
        (line.split("role='")[1].split("'")[0], int(line.split("worker=")[1].split(",")[0])) for line in started
    ]


def test_a_worker_is_told_which_sockets_speak_plain_http_and_so_is_the_operator(supervise):
    worker = "say(options['--http-port'])\ncontrol.send(WorkerReady())\nforever()"
    house = supervise(worker=worker, http_port=8080)
    house.until_logged("worker1 8080")
    house.until_said("nbgate: plain HTTP on port 8080 is sent on to HTTPS")

    assert [] == house.opened[1:]


def test_what_is_said_to_be_typed_holds_the_base_url(supervise):
    house = supervise(base_url="/ipython/")
    house.until_logged("keeper Listening")

    assert [f"nbgate: listening on https://127.0.0.1:{house.port}/ipython/"] == house.said
    assert 1 == house.count(f"keeper Listening(urls=('https://127.0.0.1:{house.port}/ipython/',)")


def test_nobody_listens_before_the_keeper_is_ready(supervise):
    house = supervise(keeper="import sys\n" + NEVER_READY)
    house.until_logged("keeper start")
    house.until_logged("worker1 start")

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", house.port))
    assert 0 == house.count("LinkKeeper")


def test_a_killed_worker_is_replaced_and_linked_anew(supervise):
    house = supervise(workers=2)
    house.until_logged("linked", 2)
    (first, second) = house.family.workers
    pid = house.kill(first)
    house.until_logged("linked b'to 1'", 2)

    assert pid != house.pid(first)
    assert second.starts == 1
    assert house.count(f"pid={pid}, what='exited', status=137, restarts=0") == 1
    assert house.count("what='started', status=0, restarts=1") == 1
    assert "nbgate: worker 1 was ended by signal 9 (Killed); starting another" in house.said


def test_a_killed_keeper_is_replaced_hears_what_happened_and_gets_every_link_anew(supervise):
    house = supervise(workers=2)
    house.until_logged("linked", 2)
    house.until_logged("keeper Listening")
    assert 0 == house.count("keeper replaces")
    pid = house.kill(house.family.keeper)
    house.until_logged("linked", 4)
    assert 1 == house.count("keeper replaces")
    house.until_logged("keeper Listening", 2)

    assert [1, 1] == [slot.starts for slot in house.family.workers]
    assert house.count(f"keeper ChildEvent(role='keeper', worker=0, pid={pid}, what='exited', status=137") == 1
    for slot in house.family.workers:
        assert (
            house.count(f"ChildEvent(role='worker', worker={slot.worker}, pid={house.pid(slot)}, what='started'") == 1
        )
        assert (
            house.count(f"ChildEvent(role='worker', worker={slot.worker}, pid={house.pid(slot)}, what='running'") == 1
        )
    assert 1 == sum("listening on" in line for line in house.said)


def test_hangup_asks_the_keeper_to_reload(supervise):
    house = supervise()
    house.until_logged("keeper Listening")
    house.signal(signal.SIGHUP)
    house.until_logged("keeper ReloadAsked")


def test_a_hangup_before_the_keeper_is_ready_is_not_forgotten(supervise, tmp_path):
    gate = tmp_path / "gate"
    house = supervise(
        keeper=f"while not os.path.exists({str(gate)!r}): pass\ncontrol.send(KeeperReady(users=1))\nlist(heard())"
    )
    house.until_logged("keeper start")
    house.signal(signal.SIGHUP)
    house.until(lambda: house.supervisor._is_reload_waiting)
    gate.touch()
    house.until_logged("keeper ReloadAsked")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_and_int_drain_the_workers_and_then_the_keeper(supervise, number):
    house = supervise(workers=2)
    house.until_logged("linked", 2)
    house.until(lambda: all(slot.was_ever_ready for slot in house.family.workers))
    house.signal(number)

    assert ExitCode.DONE == house.until_over()
    assert 2 == house.count("DrainAsked(deadline_seconds=20.0)")
    assert 1 == house.count("keeper DrainAsked(deadline_seconds=5.0)")
    assert max(index(house.log, "worker1 end"), index(house.log, "worker2 end")) < index(house.log, "keeper DrainAsked")
    assert 2 == sum("keeper ChildEvent" in line and "role='worker'" in line and "exited" in line for line in house.log)


def test_a_keeper_that_dies_while_workers_drain_is_replaced_so_that_the_audit_is_complete(supervise, tmp_path):
    gate = tmp_path / "gate"
    house = supervise(
        worker=f"""
        import time
        for message, descriptor in heard():
            if isinstance(message, LinkKeeper):
                control.send(WorkerReady())
            if isinstance(message, DrainAsked):
                while not os.path.exists({str(gate)!r}): pass
                break
        """
    )
    house.until_said("listening")
    house.signal(signal.SIGTERM)
    house.until_logged("worker1 DrainAsked")
    house.kill(house.family.keeper)
    house.until(lambda: house.family.keeper.child and house.family.keeper.child.is_ready)
    gate.touch()

    assert ExitCode.DONE == house.until_over()
    assert 1 == house.count("keeper DrainAsked")


def test_a_second_signal_kills_at_once(supervise):
    house = supervise(worker="control.send(WorkerReady())\nlist(heard())\nforever()")
    house.until_said("listening")
    house.signal(signal.SIGINT)
    house.until_logged("DrainAsked")
    house.signal(signal.SIGINT)

    assert ExitCode.INTERRUPTED == house.until_over()
    assert 0 == house.count("keeper DrainAsked")


def test_one_that_does_not_end_by_its_deadline_is_killed(supervise, monkeypatch):
    monkeypatch.setattr("nbgate.supervisor.loop.END_GRACE_SECONDS", -19.9)
    house = supervise(
        keeper="control.send(KeeperReady(users=1))\nforever()", worker="control.send(WorkerReady())\nforever()"
    )
    house.until_said("listening")
    house.signal(signal.SIGTERM)

    assert ExitCode.DONE == house.until_over()
    assert 0 == house.count("end")


@pytest.mark.parametrize(("code", "lines"), [(78, 0), (77, 0), (2, 0), (1, 1), (3, 1)])
def test_a_keeper_that_fails_before_it_was_ready_ends_everything_with_its_own_exit_code(supervise, code, lines):
    house = supervise(keeper=f"sys.exit({code})", workers=2)

    assert code == house.until_over()
    assert [f"nbgate: keeper ended with exit code {code} before it was ready"] * lines == house.said
    assert 1 == house.count("keeper start")


def test_a_worker_that_fails_before_it_was_ready_ends_everything_with_its_own_exit_code(supervise):
    house = supervise(worker="sys.exit(77)")

    assert 77 == house.until_over()


@pytest.mark.parametrize("script", ["sys.exit(0)", "os.kill(os.getpid(), 11)", "sys.exit(200)"])
def test_an_end_without_a_usable_exit_code_is_a_failure(supervise, script):
    house = supervise(worker=script)

    assert ExitCode.FAILURE == house.until_over()
    assert 1 == sum("before it was ready" in line for line in house.said)


def test_a_worker_that_fails_while_others_serve_takes_nobody_down(supervise, tmp_path):
    served, died = tmp_path / "served", tmp_path / "died"
    house = supervise(
        worker=f"""
        served, died = {str(served)!r}, {str(died)!r}
        if name == "worker2" and not os.path.exists(died):
            while not os.path.exists(served):
                select.select([], [], [], 0.01)
            open(died, "w").close()
            sys.exit(78)
        for message, descriptor in heard():
            if isinstance(message, LinkKeeper):
                control.send(WorkerReady())
            if isinstance(message, DrainAsked):
                break
        """,
        workers=2,
    )
    house.until_said("listening")
    served.touch()
    house.until(lambda: all(slot.child and slot.child.is_ready for slot in house.family.workers))

    assert "nbgate: worker 2 ended with exit code 78; starting another" in house.said


def test_one_that_was_ready_once_is_replaced_whatever_its_exit_code(supervise, tmp_path):
    mark = tmp_path / "mark"
    house = supervise(
        keeper=f"""
        if os.path.exists({str(mark)!r}):
            os.unlink({str(mark)!r})
            sys.exit(78)
        control.send(KeeperReady(users=1))
        list(heard())
        """
    )
    house.until_said("listening")
    mark.touch()
    house.kill(house.family.keeper)
    house.until(lambda: house.family.keeper.child and house.family.keeper.child.is_ready)

    assert 3 == house.family.keeper.starts
    assert "nbgate: keeper ended with exit code 78; starting another" in house.said


def test_the_keeper_can_have_a_worker_killed(supervise):
    house = supervise(
        keeper="""
        control.send(KeeperReady(users=1))
        pid = 0
        for message, _ in heard():
            if isinstance(message, LinkWorker):
                pid = message.pid
            if isinstance(message, Listening):
                control.send(KillWorker(worker=9, reason="crashed"))
                control.send(KillWorker(worker=1, reason="crashed", pid=1))
                control.send(KillWorker(worker=1, reason="slow-revocation", pid=pid))
        """
    )
    house.until(lambda: house.family.workers[0].starts == 2)

    assert "nbgate: worker 1 is replaced: slow-revocation" in house.said
    assert "crashed" not in str(house.said)


def test_an_event_of_what_is_not_watched_any_more_is_left_alone(supervise, monkeypatch):
    house = supervise(keeper=NEVER_READY, worker=NEVER_READY)
    heard = []
    stale = selectors.SelectorKey(fileobj=99, fd=99, events=selectors.EVENT_READ, data=heard.append)
    monkeypatch.setattr(house.supervisor._selector, "select", lambda timeout: [(stale, selectors.EVENT_READ)])
    house.supervisor.step(0)

    assert [] == heard


ASKED_FOR_A_USER = """
control.send(KeeperReady(users=int(os.path.exists(os.environ["LOG"] + ".user"))))
def look():
    while not os.path.exists(os.environ["LOG"] + ".user"): pass
    control.send(FirstUser())
threading.Thread(target=look, daemon=True).start()
list(heard())
"""
TOOK_SOCKETS = """
import time
taken = []
for message, descriptor in heard():
    if isinstance(message, ListenHere):
        taken.append(socket.socket(fileno=descriptor))
        if message.is_last:
            say("sockets " + " ".join(sock.getsockname()[0] for sock in taken))
            taken = []
    if isinstance(message, LinkKeeper):
        say("inherited " + options["--listen-fds"])
        control.send(WorkerReady())
    if isinstance(message, DrainAsked):
        break
"""


@pytest.fixture
def first_run(supervise, tmp_path):
    """A gateway without a user; the test calls `add_user` when there is one."""

    def make(ip, **options):
        house = supervise(ip=ip, **{"keeper": ASKED_FOR_A_USER, "worker": TOOK_SOCKETS, **options})
        house.add_user = (tmp_path / "log.user").touch
        return house

    return make


def fds_of(house) -> str:
    return ",".join(str(sock.fileno()) for sock in house.supervisor.door.sockets)


def can_connect(address, port) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_without_a_user_only_this_machine_is_served_and_with_the_first_one_everybody(first_run):
    house = first_run("*", workers=2)
    house.until_logged("inherited", 2)
    house.until_said("not on *, before there is a user")

    assert [f"nbgate: listening on https://localhost:{house.port}/"] == house.said[:1]
    assert [sock.getsockname()[0] for sock in house.supervisor.door.sockets] == ["127.0.0.1", "::1"]
    assert [False, True, True] == [
        can_connect("127.0.0.2", house.port), can_connect("127.0.0.1", house.port), can_connect("::1", house.port)
    ]  # fmt: skip
    assert (["READY=1"], []) == (house.notified, house.opened)

    house.add_user()
    house.until_logged("sockets :: 0.0.0.0", 2)
    assert can_connect("127.0.0.2", house.port)
    assert house.said[-1] == f"nbgate: listening on https://localhost:{house.port}/"
    house.until_logged(f"keeper Listening(urls=('https://{socket.gethostname()}:{house.port}/'")


def test_a_connection_that_was_accepted_survives_the_hand_over(first_run):
    house = first_run("0.0.0.0")
    house.until_said("not on 0.0.0.0")
    with socket.create_connection(("127.0.0.1", house.port)) as client:
        (narrow,) = house.supervisor.door.sockets
        accepted, _ = narrow.accept()
        house.add_user()
        house.until(lambda: not house.supervisor.door.is_narrow)
        client.sendall(b"still here")

        assert b"still here" == accepted.recv(100)
        accepted.close()


def test_where_the_address_does_not_cover_loopback_both_listen_until_the_end(first_run, monkeypatch):
    monkeypatch.setattr(sockets, "is_loopback", lambda ip: False)
    house = first_run("127.0.0.3")
    house.until_said("not on 127.0.0.3")
    assert [False, True] == [can_connect("127.0.0.3", house.port), can_connect("127.0.0.1", house.port)]

    house.add_user()
    house.until_logged("sockets 127.0.0.3 127.0.0.1")
    assert [True, True] == [can_connect("127.0.0.3", house.port), can_connect("127.0.0.1", house.port)]


def test_a_worker_that_dies_in_the_hand_over_has_a_successor_with_the_sockets_in_force(first_run):
    house = first_run("*", workers=2)
    house.until_logged("inherited", 2)
    narrow = fds_of(house)
    house.kill(house.family.workers[0])
    house.until_logged(f"worker1 inherited {narrow}")
    house.add_user()
    os.kill(house.pid(house.family.workers[0]), signal.SIGSTOP)  # it hears nothing of it
    house.until(lambda: not house.supervisor.door.is_narrow)
    house.kill(house.family.workers[0])
    house.until_logged("worker1 inherited", 3)

    assert narrow != fds_of(house)
    assert 2 == house.count(
        f"worker1 inherited {fds_of(house)}"
    )  # the first one, before it was known that nobody is there
    assert can_connect("127.0.0.2", house.port)


def test_a_keeper_that_dies_before_it_told_of_the_user_has_a_successor_that_does(first_run):
    house = first_run("*")
    house.until_logged("inherited")
    os.kill(house.pid(house.family.keeper), signal.SIGSTOP)
    house.add_user()
    house.kill(house.family.keeper)
    house.until_logged("sockets :: 0.0.0.0")

    assert can_connect("127.0.0.2", house.port)
    house.until_logged(f"keeper Listening(urls=('https://{socket.gethostname()}:{house.port}/'")


def test_a_port_somebody_else_took_for_everybody_keeps_the_gateway_on_this_machine_until_a_reload(first_run):
    house = first_run(
        "0.0.0.0",
        keeper=ASKED_FOR_A_USER.replace(
            "list(heard())",
            "for message, _ in heard():\n    if isinstance(message, ReloadAsked): control.send(Reloaded())",
        ),
    )
    house.until_logged("inherited")
    sockets.share(house.supervisor.door._wide)  # as if it had been taken between two of our own steps
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.9", house.port))
        other.listen()
        house.add_user()
        house.until_said("listening on this machine alone, until that is free and `nbgate reload` is typed")
        assert 1 == sum("is already in use" in line for line in house.said)
        assert can_connect("127.0.0.1", house.port)
        assert house.supervisor.door.is_narrow
    house.signal(signal.SIGHUP)
    house.until_logged("sockets 0.0.0.0")

    assert not house.supervisor.door.is_narrow
    assert ["READY=1", "READY=1"] == [state for state in house.notified if not state.startswith("RELOADING=1\n")]


def test_a_loopback_port_that_somebody_has_ends_a_start_that_waits_for_a_user(first_run, monkeypatch, tmp_path):
    monkeypatch.setattr(sockets, "is_loopback", lambda ip: False)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        house = first_run("127.0.0.3")
        other.bind(("127.0.0.1", house.port))
        other.listen()

        assert ExitCode.TRY_AGAIN == house.until_over()
    assert f"nbgate: port {house.port} on 127.0.0.1 is already in use" == house.said[0]


def test_a_user_who_comes_while_it_ends_opens_nothing(first_run):
    house = first_run("*")
    house.until_logged("inherited")
    house.supervisor._drain(0.0)
    house.supervisor._user_is_there()

    assert house.supervisor.door.is_narrow


def test_with_a_user_the_browser_is_opened_once_and_the_service_manager_knows(supervise):
    house = supervise(ip="*", keeper="control.send(KeeperReady(users=1))\nlist(heard())")
    house.until_said("listening", times=2)
    house.kill(house.family.keeper)
    house.until(lambda: house.family.keeper.child and house.family.keeper.child.is_ready)
    house.signal(signal.SIGTERM)
    house.until(lambda: house.notified[-1] == "STOPPING=1")

    assert [f"https://localhost:{house.port}/"] == house.opened
    assert ["READY=1", "READY=1", "STOPPING=1"] == house.notified


@pytest.mark.parametrize("message", ["FirstUser()", "Reloaded()"])
def test_a_worker_does_not_speak_for_the_keeper(supervise, message):
    house = supervise(ip="*", worker=f"control.send({message})\nforever()")
    assert ExitCode.FAILURE == house.until_over()


def test_a_port_that_somebody_took_meanwhile_is_try_again(supervise):
    house = supervise()
    sockets.share(house.supervisor.door.sockets)  # the same
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", house.port))
        other.listen()

        assert ExitCode.TRY_AGAIN == house.until_over()
    assert f"nbgate: port {house.port} on 127.0.0.1 is already in use" == house.said[0]


def test_a_machine_that_cannot_start_a_process_is_try_again_at_first_and_waited_for_later(supervise, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(11, "Resource temporarily unavailable")

    house = supervise()
    house.until_said("listening")
    with monkeypatch.context() as patch:
        patch.setattr(child_module.subprocess, "Popen", refuse)
        house.kill(house.family.workers[0])
        house.until_said("cannot start worker 1: resource temporarily unavailable; trying again", times=2)
    house.until(lambda: house.family.workers[0].child and house.family.workers[0].child.is_ready)


def test_a_machine_that_cannot_start_the_first_process_is_try_again(supervise, monkeypatch):
    def refuse(pid):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(child_module.os, "pidfd_open", refuse)
    house = supervise()

    assert ExitCode.TRY_AGAIN == house.until_over()
    assert "nbgate: cannot start keeper: too many open files" == house.said[0]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, "ended with exit code 0"),
        (78, "ended with exit code 78"),
        (137, "was ended by signal 9 (Killed)"),
        (255, "ended with exit code 255"),
    ],
)
def test_an_end_is_told_in_words(status, expected):
    assert expected == _how(status)


def test_the_supervisor_runs_to_its_end_and_returns_the_exit_code(supervise):
    house = supervise(keeper="sys.exit(78)")
    house.supervisor._selector.unregister(next(iter(house.supervisor._selector.get_map())))

    assert 78 == house.supervisor.run()
    assert -1 == house.sockets[0].fileno()


def test_an_unexpected_error_ends_every_child(supervise, monkeypatch):
    house = supervise(worker="control.send(WorkerReady())\nforever()")
    house.until_said("listening")
    pids = [child.pid for _, child in house.family.running()]

    def fail(supervisor):
        raise ZeroDivisionError

    monkeypatch.setattr(Supervisor, "_converge", fail)
    monkeypatch.setattr(Supervisor, "watch", lambda supervisor, queue: None)

    assert ExitCode.FAILURE == house.supervisor.run()
    assert "ZeroDivisionError" in house.said[-1]
    assert [] == [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_the_supervisor_loads_neither_event_loop_nor_tls():
    script = "import sys, nbgate.supervisor.loop; print(sorted({'asyncio', 'ssl', 'uvloop'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ("[]\n", "") == (done.stdout, done.stderr)
