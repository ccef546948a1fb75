"""A page of a server at `/`, rewritten, is to the byte the page that the same server serves when it is told the prefix.

No other test says so much at once: each address that a server writes is mapped, and nothing else is touched.
"""

import random

import prefix_pages
import pytest
from moved_pages import PREFIX, ROUTE, TOKEN, random_sizes, rewritten
from msgspec.structs import replace

from nbgate.testing.jupyter import find_command

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SPLITS = 30
BACK = replace(ROUTE, prefix="/", base_url=PREFIX)
ELSEWHERE = replace(ROUTE, prefix="/a/b/")
ELSEWHERE_FROM_PREFIX = replace(ROUTE, prefix="/a/b/", base_url=PREFIX)


@pytest.mark.parametrize("name", prefix_pages.SERVERS)
def test_rewritten_pages_are_those_of_a_server_that_was_told_the_prefix(name, tmp_path):
    served = prefix_pages.SERVERS[name]
    if find_command(served.kind) is None:
        pytest.skip(f"needs {served.kind.name}; {served.kind.variable} names it")
    generator = random.Random(6)
    with prefix_pages.running_pair(served, tmp_path) as (at_root, at_prefix):
        for path in served.paths:
            page, told = at_root(path), at_prefix(path)
            expected = told.body.replace(TOKEN.encode(), b"")
            assert (path, told.status, told.content_type) == (path, page.status, page.content_type)
            assert expected == rewritten(page), path
            for _ in range(SPLITS):
                assert expected == rewritten(page, random_sizes(generator, len(page.body))), path
            assert page.body.replace(TOKEN.encode(), b"") == rewritten(told, route=BACK), path
            assert rewritten(page, route=ELSEWHERE) == rewritten(told, route=ELSEWHERE_FROM_PREFIX), path


def test_there_are_enough_pages():
    assert sum(len(served.paths) for served in prefix_pages.SERVERS.values()) >= 20
