"""What is open is judged again when the rules of who may have what have changed, or where a route leads (THREATS 5.8).

A session that ended, with its account or its role, ends elsewhere (`nbgate.edge.sessions`). Requests that come are
judged as they come; one that was sent already is finished by the server that has it, wherever its route leads now.
"""

from collections.abc import Container

from nbgate.access.judge import judge_access
from nbgate.access.paths import RequestKind
from nbgate.edge.client_connection import ClientConnection
from nbgate.edge.context import WorkerContext
from nbgate.edge.exchange import Exchange
from nbgate.policy import Policy
from nbgate.reasons import Reason
from nbgate.websocket.close_codes import POLICY_VIOLATION, SERVICE_RESTART


def judge_again(context: WorkerContext, routes: Container[str] | None = None) -> None:
    """End websockets and answers under way that the policy in force would not begin.

    Args:
        context: The worker's.
        routes: Names of those that are gone or changed; None: any may be.
    """
    for connection in list(context.connections):
        exchange = connection.exchange if connection.tunnel is None else connection.tunnel.exchange
        if isinstance(exchange, Exchange) and (routes is None or _route_of(exchange) in routes):
            connection.guarded(_judge_connection, connection, exchange, context)


def end_unrecorded(context: WorkerContext) -> None:
    """End all websockets: ten minutes after the audit could be written last nothing goes on unrecorded (5.6)."""
    for connection in list(context.connections):
        if connection.tunnel is not None:
            connection.guarded(connection.tunnel.close, SERVICE_RESTART, Reason.AUDIT_UNAVAILABLE)


def _route_of(exchange: Exchange) -> str:
    return exchange.forward.route.name if exchange.forward is not None else ""


def _judge_connection(connection: ClientConnection, exchange: Exchange, context: WorkerContext) -> None:
    tunnel = connection.tunnel
    if context.leads_elsewhere(exchange):
        if tunnel is not None:
            tunnel.drain(Reason.ROUTE_CHANGED)
        return
    reason = _judge(exchange, context.policy)
    if reason is not None and tunnel is not None:
        tunnel.close(POLICY_VIOLATION, reason)
    elif reason is not None:
        connection.cut(reason, 403)


def _judge(exchange: Exchange, policy: Policy) -> Reason | None:
    """Say why this would not be begun now."""
    session, place = exchange.session, policy.places.find(exchange.head.target, exchange.head.fields.host)
    if session is None or place.route is None or place.is_own:
        return None
    return judge_access(
        session,
        place.route,
        method=exchange.head.method,
        websocket=exchange.kind is RequestKind.WEBSOCKET,
        has_effect=place.has_effect,
        second_factor_roles=policy.second_factor_roles,
    )
