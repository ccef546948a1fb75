"""Map the addresses of kernels' files in the JSON that lists the kernels (R12): their logos, and their scripts.

Held back as a whole, up to 1 MiB. A longer list passes as it is: it holds no secret, and without its pictures the
page still works, which it would not without the list. It looks at nothing but `resources`.
"""

from nbgate.model.route import Route
from nbgate.rewrite.json_strings import Path, edit_strings
from nbgate.rewrite.location import map_path

MAX_KERNELSPECS_BYTES = 1 << 20

_RESOURCES = "resources"
_OF_ALL, _OF_ONE = 4, 2  # how long the path to a resource is: in the list, and in the answer about one kernel


def map_kernelspecs(text: bytes, route: Route) -> bytes:
    """Return the answer of `api/kernelspecs`, or of one kernel below it, with public addresses."""

    def public(path: Path, value: str) -> str:
        is_one = len(path) == _OF_ONE or (len(path) == _OF_ALL and path[0] == "kernelspecs" and path[1] is not None)
        if not is_one or path[-2] != _RESOURCES:
            return value
        return map_path(value, route) or value if value.startswith(f"{route.base_url}kernelspecs/") else value

    return edit_strings(text, public, max_depth=_OF_ALL)


class KernelspecsRewriter:
    """Does this to a body that comes in pieces.

    Attributes:
        leaked: Nothing is hidden here that could leak.
    """

    leaked = False

    def __init__(self, route: Route) -> None:
        self._route = route
        self._held = bytearray()
        self._passes = False

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return those that may go to the client now."""
        if self._passes:
            return chunk
        self._held += chunk
        if len(self._held) <= MAX_KERNELSPECS_BYTES:
            return b""
        self._passes = True
        return self._release()

    def finish(self) -> bytes:
        """End the body; return what was held back."""
        return self._release() if self._passes else map_kernelspecs(self._release(), self._route)

    def _release(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held
