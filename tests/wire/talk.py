"""How the tests here talk: the head of a request, the gateway of the single rows, how many mutations, which ones.

`NBGATE_TEST_MUTATIONS=N` runs that many, `NBGATE_TEST_SEED=N` others than in CI.
"""

import os

from nbgate.testing.stub_upstream import answer

SHORT = """
[limits]
head_seconds = 0.3
body_idle_seconds = 0.3
upstream_idle_seconds = 0.1
[probe]
interval_seconds = 86400.0
"""
MUTATIONS = int(os.environ.get("NBGATE_TEST_MUTATIONS", "2400"))
SEED = int(os.environ.get("NBGATE_TEST_SEED", "4"))
TOKEN = "upstream-token-0123456789abcdef"


def guarded(request):
    return answer() if request.values("authorization") == [f"token {TOKEN}"] else answer(status="403 Forbidden")


def head(line, *lines, session=b""):
    return line + b" HTTP/1.1\r\nHost: gw.test\r\n" + session + b"".join(lines) + b"\r\n"
