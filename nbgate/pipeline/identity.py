"""Who asks on one connection, and under which of our names: judged once for each header block.

Pure but for what it remembers of its connection: the client, the name the TLS handshake asked for, the first Host. It
sees no session: this is about addresses, not people.
"""

from nbgate.errors import ProtocolError
from nbgate.http.forwarded import client_of, is_trusted
from nbgate.http.head import Fields
from nbgate.http.hosts import is_local, name_of
from nbgate.model.client import Client, make_client
from nbgate.policy import Policy
from nbgate.reasons import Reason


class Identity:
    """What one connection is known by.

    Args of the constructor:
        peer: Who is at the other end, or who the PROXY header says is.
        server_name: The name the TLS handshake asked for, lower case; None for none.
    """

    __slots__ = ("_client", "_fields", "_first_host", "_peer", "_policy", "_server_name")

    def __init__(self, peer: Client, server_name: str | None = None) -> None:
        self._peer = peer
        self._server_name = server_name
        self._first_host: str | None = None
        self._fields: Fields | None = None
        self._policy: Policy | None = None
        self._client = peer

    def identify(self, fields: Fields, policy: Policy) -> Client:
        """Return the client that asks with this header block.

        Raises:
            ProtocolError: WRONG_HOST, 421: the request is for a name that is not ours, or for another one than the
                connection is for. A trusted hop speaks for many clients, and may mix their requests. Who sits at this
                machine may call it localhost: that is how the first account is made, and no page can lie about it.

        Source: THREATS T20, T27, D28; RFC 9110 sections 7.4 and 15.5.20.
        """
        if fields is self._fields and policy is self._policy:
            return self._client
        client = self._peer
        is_hop = is_trusted(client.address, policy.trusted_hops)
        at_home = client.is_local and not is_hop and is_local(fields.host)
        if policy.exposure.hosts and not (at_home or policy.is_ours(fields.host)):
            raise ProtocolError(Reason.WRONG_HOST, 421)
        if is_hop:
            address = client_of(client.address, fields.forwarded_for, policy.trusted_hops)
            client = client if address == client.address else make_client(address, 0)
        else:
            self._judge_host(fields.host)
        self._fields, self._policy, self._client = fields, policy, client
        return client

    def _judge_host(self, host: str) -> None:
        if self._first_host is None:
            name = name_of(host).strip("[]").removesuffix(".")  # as SNI writes it (RFC 6066 section 3)
            if self._server_name is not None and self._server_name != name:
                raise ProtocolError(Reason.WRONG_HOST, 421)
            self._first_host = host
        elif host != self._first_host:
            raise ProtocolError(Reason.WRONG_HOST, 421)
