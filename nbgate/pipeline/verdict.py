"""What the pipeline may decide about a request. Values only; `nbgate.edge` performs them."""

from enum import StrEnum

from msgspec import Struct

from nbgate.jupyter.paths import Socket
from nbgate.model.route import Route, UpstreamState
from nbgate.model.rule import Rule
from nbgate.reasons import Reason


class Forward(Struct, frozen=True, gc=False):
    """Send the request to `route`'s upstream.

    Attributes:
        upstream_head: The complete head but for its framing lines and the empty line.
        socket: What is said on the websocket of a notebook server, if it is one.
        untouched: What lies there is user content or an asset: no page of the server, not to be rewritten.
        user_content: A document in the answer gets a sandbox.
        kernelspecs: JSON in the answer names files of kernels by addresses that are not the public ones.
        banner: Somebody goes to a page of the server: if it is one, our script is added to it.
    """

    route: Route
    state: UpstreamState
    upstream_head: bytes
    socket: Socket | None
    untouched: bool
    banner: bool = False
    user_content: bool = False
    kernelspecs: bool = False


class Respond(Struct, frozen=True, gc=False):
    """Answer here and now.

    Attributes:
        says: The sentence that explains it, where the one of the reason says too little.
        rule: The id of the rule that decided it.
        last_seen_unix: When the notebook server that does not answer last did; 0 where that is not known.
    """

    status: int
    reason: Reason
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    hint: str = ""
    says: str = ""
    rule: str = ""
    last_seen_unix: float = 0.0


class ChallengeKind(StrEnum):
    """How to ask for a login: by what the client can understand."""

    PAGE = "page"  # 303 to the login page
    API = "api"  # 401 JSON
    KERNEL = "kernel"  # 424 JSON: a page that lost its kernel's websocket takes a 401 for the kernel's death
    WEBSOCKET = "websocket"  # 401, no body


class Challenge(Struct, frozen=True, gc=False):
    """Ask for a login; `penalised_by` is the rule by which a stranger's request costs a penalty."""

    kind: ChallengeKind
    reason: Reason
    location: str = ""
    penalised_by: Rule | None = None

    @property
    def status(self) -> int:
        """Return the status that says so."""
        if self.kind is ChallengeKind.PAGE:
            return 303
        return 424 if self.kind is ChallengeKind.KERNEL else 401


Verdict = Forward | Respond | Challenge
