"""Starting one child by exec, and seeing it end."""

import os
import select
import subprocess
import sys

import pytest

from nbgate.supervisor.child import CONTROL, Role, start_child

SUPERVISED = """
import os, signal, sys
from nbgate.supervisor.child import CONTROL, Role, start_child
script = "import os, sys, time; os.write(1, b'%d' % os.getpid()); os.close(1); time.sleep(60)"
child = start_child(Role(sys.argv[1]), (sys.executable, "-c", script, CONTROL), (), dict(os.environ), 0.0)
os.close(1)
signal.pause()
"""


@pytest.mark.parametrize("role", list(Role))
def test_children_die_with_the_supervisor(role):
    with subprocess.Popen([sys.executable, "-c", SUPERVISED, role], stdout=subprocess.PIPE) as supervisor:
        pid = int(supervisor.stdout.read())
        pidfd = os.pidfd_open(pid)
        supervisor.kill()
    assert ([pidfd], [], []) == select.select([pidfd], [], [], 20)
    os.close(pidfd)


def test_a_child_has_exactly_its_descriptors_its_own_session_and_ignores_what_a_terminal_sends(tmp_path):
    answer = tmp_path / "answer"
    extra, unwanted = os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(unwanted, True)
    script = f"""
import os, signal, sys
descriptors = sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{{name}}"))
ignored = [signal.getsignal(number) == signal.SIG_IGN for number in (signal.SIGINT, signal.SIGHUP)]
open({str(answer)!r}, "w").write(repr((descriptors, int(sys.argv[1]), os.getsid(0) == os.getpgrp() == os.getpid(), ignored)))
"""
    child = start_child(Role.WORKER, (sys.executable, "-c", script, CONTROL), (extra,), dict(os.environ), 0.0)

    assert 0 == child.reap()
    descriptors, control, own_session, ignored = eval(answer.read_text())
    assert sorted([0, 1, 2, extra, control]) == descriptors
    assert own_session
    assert [True, True] == ignored
    os.close(extra)
    os.close(unwanted)
