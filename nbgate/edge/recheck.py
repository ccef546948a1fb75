"""What is open is judged again when the rules of who may have what have changed (THREATS 5.8).

A session that ended, with its account or its role, ends elsewhere (`nbgate.edge.sessions`). Requests that come are
judged as they come.
"""

from nbgate.access.judge import judge_access
from nbgate.access.paths import RequestKind
from nbgate.edge.client_connection import ClientConnection
from nbgate.edge.context import WorkerContext
from nbgate.edge.exchange import Exchange
from nbgate.policy import Policy
from nbgate.reasons import Reason
from nbgate.websocket.close_codes import POLICY_VIOLATION


def judge_again(context: WorkerContext) -> None:
    """End websockets and answers under way that the policy in force would not begin."""
    for connection in list(context.connections):
        connection.guarded(_judge_connection, connection, context.policy)


def _judge_connection(connection: ClientConnection, policy: Policy) -> None:
    tunnel, exchange = connection.tunnel, connection.exchange
    if tunnel is not None:
        reason = _judge(tunnel.exchange, policy)
        if reason is not None:
            tunnel.close(POLICY_VIOLATION, reason)
    elif isinstance(exchange, Exchange) and (reason := _judge(exchange, policy)) is not None:
        connection.cut(reason, 403)


def _judge(exchange: Exchange, policy: Policy) -> Reason | None:
    """Say why this would not be begun now; a mount that is gone takes its connections along by itself."""
    session, place = exchange.session, policy.places.find(exchange.head.target)
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
