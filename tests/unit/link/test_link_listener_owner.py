"""Whose socket answers: the kernel's own word, the same from its text tables, and the refusal of anybody else."""

import os
import socket
from ipaddress import ip_address

import pytest

from nbgate.link import listener_owner as subject
from nbgate.link.listener_owner import ForeignListenerError, find_owner, listener_uid, parse_listeners, require_owner

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:22B8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 573682 1 0 100 0 0 10 0
   1: 00000000:22B8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1060 1 0 100 0 0 10 0
   2: 00000000:22B9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 1061 1 0 100 0 0 10 0
   3: 0100007F:22BA 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1002        0 1062 1 0 100 0 0 10 0
   4: 0100007F:22BA 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1003        0 1063 1 0 100 0 0 10 0
"""
TCP6 = """  sl  local_address                         remote_address                        st tx_queue rx_queue uid
   0: 00000000000000000000000001000000:22B8 00000000000000000000000000000000:0000 0A 0:0 0:0 0 1004 0 1 1 0 100
   1: 00000000000000000000000000000000:22BB 00000000000000000000000000000000:0000 0A 0:0 0:0 0 1005 0 1 1 0 100
   2: 0000000000000000FFFF00000100007F:22BC 00000000000000000000000000000000:0000 0A 0:0 0:0 0 1006 0 1 1 0 100
"""


@pytest.mark.parametrize(
    ("host", "port", "uid"),
    [
        ("127.0.0.1", 8888, 1000),  # the exact address beats the wildcard
        ("127.0.0.2", 8888, 0),
        ("127.0.0.1", 8889, 1001),
        ("127.0.0.1", 8890, None),  # after the first other row nothing is read: listeners come first
        ("127.0.0.1", 8891, 1005),  # [::] serves both families
        ("127.0.0.1", 8892, 1006),  # so does a mapped address
        ("127.0.0.2", 8892, None),
        ("::1", 8888, 1004),
        ("::1", 8889, None),  # 0.0.0.0 serves one family
        ("::1", 8891, 1005),
        ("127.0.0.1", 1, None),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_tables_say_whose_socket_answers(host, port, uid, size):
    tcp, tcp6 = (parse_listeners((t[at : at + size] for at in range(0, len(t), size)), port) for t in (TCP, TCP6))
    assert uid == find_owner(tcp, tcp6, ip_address(host))


LISTENERS = [
    (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
    (socket.AF_INET, "0.0.0.0", "127.0.0.1"),
    (socket.AF_INET, "127.0.0.1", "::ffff:127.0.0.1"),
    (socket.AF_INET6, "::1", "::1"),
    (socket.AF_INET6, "::", "::1"),
    (socket.AF_INET6, "::", "127.0.0.1"),
]


@pytest.mark.parametrize(("family", "bound", "asked"), LISTENERS)
@pytest.mark.parametrize("with_diag", [True, False])
def test_a_real_socket_is_found_both_ways(family, bound, asked, with_diag, monkeypatch):
    way = {"_read_tables": lambda *_: None} if with_diag else {"_ask_kernel": refuse}
    for name, replacement in way.items():
        monkeypatch.setattr(subject, name, replacement)
    with listening(family, bound) as server:
        assert os.geteuid() == listener_uid(asked, server.getsockname()[1])


def refuse(*_args):
    raise OSError(93, "Protocol not supported")


def listening(family, address):
    try:
        return socket.create_server((address, 0), family=family, dualstack_ipv6=False) if address != "::" else dual()
    except OSError:
        pytest.skip("this machine has no IPv6")


def dual():
    return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nobody_owns_a_port_on_which_nobody_listens(host):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert None is listener_uid(host, port)


def test_a_machine_without_tables_knows_nobody(monkeypatch):
    monkeypatch.setattr(subject, "_ask_kernel", refuse)
    monkeypatch.setattr(subject, "_TABLES", {4: "/nonexistent", 6: "/nonexistent"})
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert None is listener_uid("127.0.0.1", server.getsockname()[1])


@pytest.fixture(params=["tcp", "unix"])
def connected(request, tmp_path):
    """A socket that is connected to one of ours."""
    if request.param == "tcp":
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
            yield ours
    else:
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as ours:
            server.bind(str(tmp_path / "s"))
            server.listen()
            ours.connect(str(tmp_path / "s"))
            yield ours


def test_an_owner_who_is_allowed_passes_and_any_other_is_named(connected):
    ours = os.geteuid()
    require_owner(connected, ())
    require_owner(connected, (ours,))
    require_owner(connected, (ours + 1, ours))
    with pytest.raises(ForeignListenerError) as caught:
        require_owner(connected, (ours + 1,))
    assert ours == caught.value.uid


def test_a_listener_that_is_gone_is_nobodys():
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
    with ours, accepted, pytest.raises(ForeignListenerError) as caught:
        require_owner(ours, (os.geteuid(),))
    assert -1 == caught.value.uid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a socket of another user")
def test_the_socket_of_another_user_is_not_ours():
    os.seteuid(65534)
    try:
        server = socket.create_server(("127.0.0.1", 0))
    finally:
        os.seteuid(0)
    with server, socket.create_connection(server.getsockname()) as ours:
        with pytest.raises(ForeignListenerError) as caught:
            require_owner(ours, (0,))
        assert 65534 == caught.value.uid
        require_owner(ours, (0, 65534))
