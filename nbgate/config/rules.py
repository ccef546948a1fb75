"""Judge what an operator says about rules: the ids that shall not apply, and the ports that users may reach.

Knows the shipped pack and addresses; it puts no rule into force. Each problem is a text and a hint.
"""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from nbgate.config.routes import specs_of
from nbgate.config.schema import Config
from nbgate.config.upstreams import is_remote
from nbgate.rules.pack import shipped_pack
from nbgate.rules.ports import CLOSED_PORTS


def judge_ids(ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Say which of `ids` is no rule."""
    known = [row.id for row in shipped_pack()] if ids else []
    for name in ids:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            yield (
                f"there is no rule {name!r}",
                f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}",
            )


def judge_ports(config: Config) -> Iterator[tuple[str, str]]:
    """Say which of the listed ports stay closed: ours, those of notebook servers, those of `CLOSED_PORTS`."""
    if not config.server_proxy_ports:
        return
    upstreams = [spec.upstream.port for spec in specs_of(config) if not is_remote(spec.upstream)]
    closed = {row.port: f"{row.name}: it {row.why}" for row in CLOSED_PORTS}
    closed |= dict.fromkeys(upstreams, "a notebook server, which has its own mount")
    closed |= dict.fromkeys((config.port, config.http_port), "nbgate itself")
    for port in config.server_proxy_ports:
        if port in closed:
            yield f"port {port} is not opened: {closed[port]}", "list only ports of programs that users may reach"
