"""What a confined worker can and cannot do, tried in a child that calls the worker's own confinement."""

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nbgate.edge import confine, landlock
from nbgate.errors import StartError

ABI = landlock.abi_version()
needs_landlock = pytest.mark.skipif(not ABI, reason="this kernel offers no landlock")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to drop")

CHILD = """
import ctypes, errno, os, socket, sys
from nbgate.edge.confine import confine_worker
facts = confine_worker()
def outcome(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
"""


def run_confined(script: str, *arguments: str, before: str = "") -> str:
    """Run `script` after the confinement, in a child whose working folder is not the checkout; return what it printed."""
    code = before + CHILD + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(Path(confine.__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "" == done.stderr
    assert 0 == done.returncode
    return done.stdout.strip()


def test_the_answer_says_what_holds():
    facts = run_confined("print('; '.join(facts))").split("; ")

    assert ["no_new_privs", "not dumpable", "no core dumps"] == facts[:3]
    assert "no capabilities, nor any to gain" in facts or os.geteuid() != 0
    assert any(fact.startswith(f"landlock {ABI}: files") for fact in facts) or not ABI


def test_new_privileges_core_dumps_and_dumping_are_off():
    printed = run_confined("""
        import resource
        libc = ctypes.CDLL(None)
        print(libc.prctl(39, 0, 0, 0, 0), libc.prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
    """)

    assert "1 0 (0, 0)" == printed


@needs_root
def test_root_has_no_capability_left_in_any_set():
    printed = run_confined(
        "print([l.split()[1] for l in status.read().splitlines() if l.startswith('Cap')])",
        before="status = open('/proc/self/status')\n",
    )

    assert str(["0" * 16] * 5) == printed


@needs_landlock
@pytest.mark.parametrize("name", ["state.db", "audit/audit-000000000000.jsonl", "keys/cookies.key", "control.key"])
def test_nothing_in_the_data_folder_can_be_opened(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("secret")
    printed = run_confined(
        """
        file = sys.argv[1]
        print(outcome(open, file), outcome(open, file, "a"), outcome(os.listdir, os.path.dirname(file)),
              outcome(os.unlink, file), outcome(os.rename, file, file + "x"), outcome(os.truncate, file, 0))
        """,
        str(file),
    )

    assert "EACCES EACCES EACCES EACCES EACCES EACCES" == printed
    assert "secret" == file.read_text()


@needs_landlock
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("open, '/etc/passwd'", "EACCES"),
        ("open, '/proc/1/environ', 'rb'", "EACCES"),
        ("os.listdir, os.path.expanduser('~')", "EACCES"),
        ("os.mkdir, '/tmp/nbgate-confined'", "EACCES"),
        ("open, '/dev/tty', 'w'", "EACCES"),
        ("os.execv, '/bin/true', ['true']", "EPERM"),
        ("os.execv, sys.executable, ['python', '-V']", "EPERM"),
        ("os.execve, os.memfd_create('program'), ['program'], {}", "EPERM"),
        ("os.chmod, '/tmp', 0o1777", "EPERM"),
        ("open, '/dev/null', 'r+b', 0", "done"),
        ("open, '/proc/net/tcp'", "done"),
        ("os.listdir, sys.prefix", "done"),
    ],
)
def test_only_what_a_worker_needs_can_be_reached(call, expected):
    assert expected == run_confined(f"print(outcome({call}))")


@needs_landlock
def test_a_worker_cannot_listen_on_tcp_but_can_connect():
    if ABI < landlock._NETWORK_FROM_ABI:
        pytest.skip("this kernel cannot deny it")
    with socket.create_server(("127.0.0.1", 0)) as server:
        printed = run_confined(
            """
            print(outcome(socket.socket().bind, ("127.0.0.1", 0)))
            print(outcome(socket.create_connection, ("127.0.0.1", int(sys.argv[1]))))
            """,
            str(server.getsockname()[1]),
        )

    assert "EACCES\ndone" == printed


@needs_landlock
def test_a_worker_cannot_signal_its_supervisor_nor_reach_abstract_sockets():
    if ABI < landlock._SCOPES_FROM_ABI:
        pytest.skip("this kernel cannot deny it")
    name = f"\0nbgate-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        printed = run_confined(
            """
            print(outcome(os.kill, os.getppid(), 0))
            print(outcome(socket.socket(socket.AF_UNIX).connect, chr(0) + sys.argv[1]))
            """,
            name[1:],
        )

    assert "EPERM\nEPERM" == printed


def test_a_worker_reaches_the_keepers_private_socket_given_to_it_by_path(tmp_path):
    path = tmp_path / "pages.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        printed = run_confined("print(outcome(socket.socket(socket.AF_UNIX).connect, sys.argv[1]))", str(path))

    assert "done" == printed


def test_a_key_can_be_loaded_from_memory_after_the_confinement(tmp_path):
    import trustme

    certificate = trustme.CA().issue_cert("localhost")
    pem = certificate.private_key_pem.bytes() + certificate.cert_chain_pems[0].bytes()
    (tmp_path / "pem").write_bytes(pem)
    printed = run_confined(
        """
        import ssl
        descriptor = os.memfd_create("tls")
        os.write(descriptor, pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        print(context.get_ciphers() != [])
        """,
        before=f"pem = open({str(tmp_path / 'pem')!r}, 'rb').read()\n",
    )

    assert "True" == printed


def test_what_was_not_imported_yet_still_can_be():
    printed = run_confined("""
        import asyncio, sqlite3, ssl, uvloop, httptools, cryptography.hazmat.primitives.ciphers.aead
        import nbgate.link.channel, zoneinfo, encodings.idna
        uvloop.new_event_loop().close()
        print("imported")
    """)

    assert "imported" == printed


@needs_landlock
def test_a_path_that_is_asked_for_can_be_read_and_only_read(tmp_path):
    file = tmp_path / "table"
    file.write_text("text")
    code = CHILD.replace("confine_worker()", "confine_worker((Path(sys.argv[1]), Path('/nonexistent')))")
    code = "from pathlib import Path\n" + code + "print(open(sys.argv[1]).read(), outcome(open, sys.argv[1], 'w'))"
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, timeout=30)

    assert ("text EACCES", "") == (done.stdout.strip(), done.stderr)


def test_a_kernel_without_landlock_is_named_in_the_answer():
    printed = run_confined(
        "print(facts[-1])",
        before="from nbgate.edge import landlock\nlandlock.abi_version = lambda: 0\n",
    )

    assert "files not confined: this kernel offers no landlock" == printed


def in_a_child(action) -> str:
    """Run `action` in a fork of this process and return what it returns: for what must not be done to the test itself."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, str(action()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


@needs_root
def test_one_who_is_not_root_is_confined_too_and_can_load_a_key_from_memory():
    def as_nobody() -> str:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        confine.own_folders = lambda: ()
        facts = confine.confine_worker()
        descriptor = os.memfd_create("tls")
        os.write(descriptor, b"pem")
        return f"{facts[3]}: {Path(f'/proc/self/fd/{descriptor}').read_text()}"

    assert "no capabilities: pem" == in_a_child(as_nobody)


@needs_root
def test_a_program_that_cannot_be_read_without_privileges_is_a_start_error(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)

    def attempt() -> str:
        confine.own_folders = lambda: (folder,)
        try:
            confine.confine_worker()
        except StartError as error:
            return f"{error.exit_code:d} {error.public}"
        return "confined"

    assert f"77 a worker without privileges cannot read {folder}" == in_a_child(attempt)


def test_a_second_thread_is_a_start_error():
    def attempt() -> str:
        import threading

        stop = threading.Event()
        threading.Thread(target=stop.wait, daemon=True).start()
        try:
            confine.confine_worker()
        except StartError as error:
            return error.public
        finally:
            stop.set()
        return "confined"

    assert "a worker can be confined only while it has one thread" == in_a_child(attempt)


def test_a_call_that_fails_is_never_taken_for_success():
    with pytest.raises(OSError, match="Invalid argument"):
        confine._prctl(-1, 0)
