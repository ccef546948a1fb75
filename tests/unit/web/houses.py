"""Notebook servers as the start page asks them what runs there: canned answers, by the path below the base URL."""

import json
from types import SimpleNamespace

from nbgate.model.route import Condition, Route, Upstream, UpstreamState
from nbgate.testing.keeper_parts import TOKEN


def session(path="work/a.ipynb", state="idle", seen="2026-11-23T10:00:00.000000Z", **changes):
    """Return a session as a server lists it."""
    kernel = {"id": "k1", "name": "python3", "execution_state": state, "last_activity": seen, "connections": 1}
    return {"id": "s1", "path": path, "name": "", "type": "notebook", "kernel": kernel} | changes


class House:
    """Answers for all servers alike, and remembers what it was asked with which headers.

    Attributes:
        answers: By path, what JSON holds; one that is missing does not come.
    """

    def __init__(self):
        self.answers = {"api/sessions": [], "api/terminals": [], "api/status": {"started": "2026-11-23T08:00:00Z"}}
        self.asked = []

    async def __call__(self, upstream, target, headers):
        self.asked.append((str(upstream), target, headers))
        path = target.partition("?")[0]
        found = [value for name, value in self.answers.items() if path.endswith(name)]
        return json.dumps(found[0]).encode() if found else None


class Town:
    """What is mounted: it takes the place of what a rig's keeper says of that."""

    def __init__(self, rig, since_unix=0.0):
        self._since_unix = since_unix or rig.clock.unix()
        self._all = []
        for said in ("routes", "states", "shown"):
            setattr(rig.keeper.mounts, said, getattr(self, said))

    def add(
        self,
        prefix,
        *,
        product="JupyterLab",
        condition=Condition.GUARDED,
        host="",
        allowed=(),
        base_url="/",
        last_seen=0.0,
    ):
        """Mount a server."""
        number = len(self._all)
        upstream = Upstream(host="127.0.0.1", port=9000 + number)
        name = f"r{number}"
        route = Route(name=name, prefix=prefix, upstream=upstream, base_url=base_url, host=host, allowed=allowed)
        state = UpstreamState(route=name, condition=condition, token=TOKEN, since_unix=self._since_unix)
        self._all.append(
            (
                route,
                state,
                SimpleNamespace(
                    route=name, product=product, condition=condition, since_unix=self._since_unix, last_seen=last_seen
                ),
            )
        )
        return self

    def routes(self):
        return tuple(route for route, _, _ in self._all)

    def states(self):
        return tuple(state for _, state, _ in self._all)

    def shown(self):
        return tuple(shown for _, _, shown in self._all)
