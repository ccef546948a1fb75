"""What other users of the machine can learn of a gateway: files, the list of processes, memory that is left behind (T43)."""

import os
import re
import secrets
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import secrets_hunt

from nbgate.testing.gateway import CHEAP_LOGIN, USER, prepare_gateway, running_gateway
from nbgate.testing.process import descendants
from nbgate.testing.stub_upstream import StubUpstream

pytestmark = pytest.mark.e2e

TOKEN = "tok-" + secrets.token_hex(20)
FOREIGN = "of-another-program-" + secrets.token_hex(20)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secrets")
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(TOKEN)
    flags = ("--allow-open-upstream", "--upstream-token-file", str(token_file))
    with (
        StubUpstream().in_thread() as stub,
        running_gateway(
            folder, f"127.0.0.1:{stub.port}", flags=flags, config=CHEAP_LOGIN, workers=2,
            environment={"JUPYTER_TOKEN": FOREIGN, "AWS_SECRET_ACCESS_KEY": FOREIGN},
        ) as running,
    ):  # fmt: skip
        yield running


def shown_by_the_kernel(pids):
    """Yield (path, bytes) of what /proc says of each process's command line and environment."""
    for pid in pids:
        for name in ("cmdline", "environ"):
            try:
                yield f"{name} of {pid}", Path(f"/proc/{pid}/{name}").read_bytes()
            except OSError:  # ended while we looked
                continue


def all_pids():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def known_secrets(gateway, cookie):
    keys = {path.name: path.read_text().strip() for path in gateway.data.rglob("*.key")}
    pem = gateway.certificate.pem.read_text()
    lines = re.search(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)\n-----END", pem, re.DOTALL)[1].splitlines()
    assert {"control.key", "cookies.key", "forms.key"} <= set(keys)
    return {
        "password": gateway.password,
        "token": TOKEN,
        "cookie": cookie.partition("=")[2],
        "key of TLS": lines[1],
        "control.key decoded": keys["control.key"].rpartition("_")[2],
        **keys,
    }


def test_no_process_shows_a_secret_in_its_command_line_or_environment(gateway):
    """Every process of the machine is looked at, while the gateway serves and while commands run."""
    cookie = gateway.login()
    secrets_there = known_secrets(gateway, cookie)
    seen, done = set(), threading.Event()

    def look():
        while not done.is_set():
            seen.update(shown_by_the_kernel(all_pids()))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for words, text in (
            (("user", "passwd", USER, "--password-stdin"), gateway.password + "\n"),
            (("status",), ""),
            (("reload",), ""),
        ):
            assert 0 == gateway.command(*words, input_text=text).returncode
        assert 200 == gateway.request("GET", "/_nbgate/health")[0]
        gateway.login()
    finally:
        done.set()
        looking.join()
    ours = {f"{name} of {pid}" for pid in descendants(gateway.program.pid) for name in ("cmdline", "environ")}
    assert 4 <= len(ours & {place for place, _ in seen}) // 2
    assert [] == secrets_hunt.find(secrets_there, seen)


def test_what_the_environment_held_of_other_programs_goes_no_further(gateway):
    children = [pid for pid in descendants(gateway.program.pid) if pid != gateway.program.pid]
    assert 3 == len(children)
    assert [] == secrets_hunt.find({"foreign": FOREIGN}, shown_by_the_kernel(children))
    assert [f"environ of {gateway.program.pid}"] == [
        place for place, _ in secrets_hunt.find({"foreign": FOREIGN}, shown_by_the_kernel([gateway.program.pid]))
    ]


def test_every_process_makes_private_files_and_leaves_no_core(gateway):
    pids = descendants(gateway.program.pid)
    assert 4 == len(pids)
    for pid in pids:
        limits = Path(f"/proc/{pid}/limits").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
        assert ("0", "0") == re.search(r"^Max core file size +(\S+) +(\S+)", limits, re.MULTILINE).groups()
        assert "0077" == re.search(r"^Umask:\t(\d+)", status, re.MULTILINE)[1]


def test_everything_in_the_data_folder_is_the_owners_alone(gateway):
    gateway.login()
    kinds = set()
    for path in [gateway.data, *gateway.data.rglob("*")]:
        found = path.lstat()
        assert (path, os.geteuid()) == (path, found.st_uid)
        assert (path, 0) == (path, found.st_mode & 0o077)
        kinds.add(stat.S_IFMT(found.st_mode))
    assert {stat.S_IFDIR, stat.S_IFREG, stat.S_IFSOCK} <= kinds


SETPRIV = shutil.which("setpriv")


@pytest.mark.skipif(os.geteuid() != 0 or SETPRIV is None, reason="needs root, to be two users")
def test_its_own_user_cannot_look_into_a_process_that_holds_secrets():
    """Who else is this user (a kernel, say) reads neither memory nor environment of it, and attaches no debugger."""
    script = (
        "import os, sys; from nbgate.secrecy import keep_secrets; keep_secrets() if sys.argv[1] == 'kept' else None;"
        "print(os.getpid(), flush=True); sys.stdin.read()"
    )
    as_nobody = [SETPRIV, "--reuid=65534", "--regid=65534", "--clear-groups"]
    for how, expected in (("open", 0), ("kept", 1)):
        holder = subprocess.Popen(
            [*as_nobody, sys.executable, "-c", script, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )  # fmt: skip
        try:
            pid = int(holder.stdout.readline())
            for name in ("environ", "mem", "maps"):
                done = subprocess.run([*as_nobody, "head", "-c0", f"/proc/{pid}/{name}"], capture_output=True)
                assert (how, name, expected) == (how, name, done.returncode), done.stderr
        finally:
            holder.communicate()


SPOILED = [
    ("", 0o755, 77, r"the data folder cannot be used: .*chmod 700"),
    ("keys", 0o750, 77, r"the data folder cannot be used: .*chmod 700"),
    ("keys/forms.key", 0o640, 78, r"the key .*forms\.key cannot be read: .*chmod 600"),
    ("keys/cookies.key", 0o604, 78, r"the key .*cookies\.key cannot be read: .*chmod 600"),
    ("state.db", 0o660, 77, r"the state store cannot be opened\n.*chmod 600"),
    ("audit", 0o711, 77, r"the audit log cannot be opened\n.*chmod 700"),
    ("lock", 0o666, 77, r"the data folder cannot be held: .*chmod 600"),
    ("audit/audit-000000000000.jsonl", 0o644, 77, r"the audit log cannot be opened\n.*chmod 600"),
]


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """A gateway that has run, and ended."""
    gateway = prepare_gateway(tmp_path_factory.mktemp("used"), "127.0.0.1:9")
    gateway.add_user()
    gateway.program.start()
    gateway.program.wait_for_line("listening on")
    assert 0 == gateway.program.end()
    return gateway


@pytest.mark.parametrize(("name", "mode", "code", "said"), SPOILED, ids=[name or "." for name, *_ in SPOILED])
def test_what_others_could_read_or_write_is_refused_and_not_repaired(used, name, mode, code, said):
    path = used.data / name
    before = stat.S_IMODE(path.stat().st_mode)
    path.chmod(mode)
    try:
        used.program.log.write_bytes(b"")
        used.program.start()
        assert code == used.program.wait()
        assert re.search(said, used.program.said()), used.program.said()
        assert "  hint: " in used.program.said()
        assert mode == stat.S_IMODE(path.stat().st_mode)
    finally:
        path.chmod(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")
@pytest.mark.parametrize("name", ["", "keys/forms.key", "state.db", "audit", "lock"])
def test_what_belongs_to_another_user_is_refused(used, name):
    path = used.data / name
    os.chown(path, 65534, -1)
    try:
        used.program.log.write_bytes(b"")
        used.program.start()
        assert used.program.wait() in {77, 78}
        assert "belongs to another user" in used.program.said()
    finally:
        os.chown(path, 0, -1)


@pytest.mark.parametrize("name", ["keys/forms.key", "state.db", "lock"])
def test_what_lies_behind_a_link_is_refused(used, name):
    path, elsewhere = used.data / name, used.data / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    try:
        used.program.log.write_bytes(b"")
        used.program.start()
        assert used.program.wait() in {77, 78}
    finally:
        path.unlink()
        elsewhere.rename(path)


def test_after_all_that_it_starts_as_before(used):
    used.program.start()
    used.program.wait_for_line("listening on")
    assert 0 == used.program.end()
