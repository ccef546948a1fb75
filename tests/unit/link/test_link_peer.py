"""The kernel says whose process is at the other end."""

import os
import socket

import pytest

from nbgate.link.peer import peer_uid


def test_both_ends_learn_whose_process_the_other_one_is(tmp_path):
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        client.connect(str(tmp_path / "s"))
        with listening.accept()[0] as server:
            assert (os.geteuid(), os.geteuid()) == (peer_uid(server), peer_uid(client))


def test_a_closed_socket_has_no_peer():
    ours, theirs = socket.socketpair()
    theirs.close()
    ours.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        peer_uid(ours)
