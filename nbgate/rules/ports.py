"""Ports that no notebook server may open to its users, even where an operator lists them. Data only.

A port belongs here when what usually listens there has no login of its own worth the name, trusts whoever comes from
this machine, or speaks a protocol that HTTP can be mistaken for.
"""

from msgspec import Struct


class ClosedPort(Struct, frozen=True):
    """One row: the port, who listens there, and why it stays closed."""

    port: int
    name: str
    why: str


CLOSED_PORTS = (
    ClosedPort(22, "SSH", "is no HTTP: only its presence can be probed"),
    ClosedPort(25, "SMTP", "sends mail for whoever comes from this machine"),
    ClosedPort(53, "DNS", "is no HTTP"),
    ClosedPort(111, "rpcbind", "is no HTTP"),
    ClosedPort(139, "SMB", "is no HTTP"),
    ClosedPort(445, "SMB", "is no HTTP"),
    ClosedPort(587, "mail submission", "sends mail for whoever comes from this machine"),
    ClosedPort(631, "CUPS", "takes orders from this machine without a password"),
    ClosedPort(2375, "Docker", "is root on this machine, without a password"),
    ClosedPort(2376, "Docker", "is root on this machine"),
    ClosedPort(2379, "etcd", "holds the secrets of a cluster"),
    ClosedPort(3306, "MySQL", "is no HTTP"),
    ClosedPort(5432, "PostgreSQL", "is no HTTP"),
    ClosedPort(6379, "Redis", "takes commands line by line, also out of an HTTP request"),
    ClosedPort(6443, "Kubernetes", "rules a cluster"),
    ClosedPort(9200, "Elasticsearch", "often has no login"),
    ClosedPort(10250, "kubelet", "runs commands in every container of this machine"),
    ClosedPort(11211, "memcached", "takes commands line by line, also out of an HTTP request"),
    ClosedPort(27017, "MongoDB", "is no HTTP"),
)
