"""Kept connections to upstreams: newest first, bounded, only good ones."""

import asyncio
import contextlib
import os
import socket

import pytest
from msgspec import structs

from nbgate.config.schema import Limits
from nbgate.edge import pool as module
from nbgate.edge.pool import Pool
from nbgate.link.listener_owner import ForeignListenerError
from nbgate.model.route import Upstream


@contextlib.asynccontextmanager
async def serving(start, *where):
    accepted = []

    async def serve(reader, writer):
        accepted.append(writer)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    running = await start(serve, *where)
    running.accepted = accepted
    yield running
    running.close()
    for writer in accepted:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    await running.wait_closed()


@pytest.fixture
async def server():
    async with serving(asyncio.start_server, "127.0.0.1", 0) as running:
        yield running


@pytest.fixture
async def pool(server):
    made = Pool(asyncio.get_running_loop())
    yield made
    made.close()
    await asyncio.sleep(0)


@pytest.fixture
def upstream(server):
    return Upstream(host="127.0.0.1", port=server.sockets[0].getsockname()[1])


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_an_empty_pool_gives_nothing(pool, upstream):
    assert None is pool.take(upstream)
    pool.expire(1e9)


async def test_what_comes_back_last_goes_out_first_and_is_marked_as_reused(pool, upstream):
    first, second = await pool.connect(upstream, Limits()), await pool.connect(upstream, Limits())
    assert not first.reused
    first.user = object()
    pool.give_back(first)
    pool.give_back(second)
    assert [second, first, None] == [pool.take(upstream) for _ in range(3)]
    assert first.reused
    assert None is first.user
    first.close()
    second.close()


async def test_upstreams_do_not_share_connections(pool, upstream):
    pool.give_back(await pool.connect(upstream, Limits()))
    assert None is pool.take(Upstream(host="127.0.0.1", port=upstream.port + 1))
    assert None is pool.take(Upstream(host="localhost", port=upstream.port))


async def test_past_the_bound_what_comes_back_is_closed(pool, upstream, monkeypatch):
    monkeypatch.setattr(module, "MAX_IDLE", 1)
    kept, closed = await pool.connect(upstream, Limits()), await pool.connect(upstream, Limits())
    pool.give_back(kept)
    pool.give_back(closed)
    assert (True, False) == (kept.is_open, closed.is_open)
    assert [kept, None] == [pool.take(upstream), pool.take(upstream)]
    kept.close()


async def test_a_connection_that_is_over_is_not_kept(pool, upstream):
    connection = await pool.connect(upstream, Limits())
    connection.abort()
    pool.give_back(connection)
    assert None is pool.take(upstream)


async def test_a_closed_connection_is_passed_over(pool, upstream):
    good, bad = await pool.connect(upstream, Limits()), await pool.connect(upstream, Limits())
    pool.give_back(good)
    pool.give_back(bad)
    bad.transport.abort()
    assert good is pool.take(upstream)
    good.close()


async def test_a_kept_connection_that_the_upstream_ends_is_forgotten(pool, upstream, server):
    connection = await pool.connect(upstream, Limits())
    pool.give_back(connection)
    await until(lambda: server.accepted)
    server.accepted[0].close()
    await until(lambda: connection.transport is None)
    assert {upstream: []} == pool._idle


async def test_a_connection_in_use_that_is_lost_is_no_matter_of_the_pool(pool, upstream):
    connection = await pool.connect(upstream, Limits())
    connection.abort()
    await until(lambda: connection.transport is None)
    assert {} == pool._idle


async def test_idle_connections_are_closed_by_age(pool, upstream):
    loop = asyncio.get_running_loop()
    old, new = await pool.connect(upstream, Limits()), await pool.connect(upstream, Limits())
    pool.give_back(old)
    pool.give_back(new)
    new.idle_since = loop.time() + 10
    pool.expire(loop.time() + 5)
    assert (False, True) == (old.is_open, new.is_open)
    pool.close()
    assert not new.is_open


async def test_what_no_route_leads_to_any_more_is_closed_whatever_its_age(server, upstream):
    loop, used = asyncio.get_running_loop(), {upstream}
    pool = Pool(loop, used.__contains__)
    other = structs.replace(upstream, name="other")
    used.add(other)
    kept, closed = await pool.connect(upstream, Limits()), await pool.connect(other, Limits())
    pool.take(other)
    pool.give_back(kept)
    pool.give_back(closed)
    used.discard(other)
    pool.expire(loop.time() - 60)
    assert (True, False, [upstream]) == (kept.is_open, closed.is_open, list(pool._idle))
    used.clear()
    pool.expire(loop.time() - 60)
    assert (False, []) == (kept.is_open, list(pool._idle))


async def test_what_comes_back_after_that_is_found_by_the_next_look(server, upstream):
    loop = asyncio.get_running_loop()
    pool = Pool(loop, lambda _upstream: False)
    pool.take(upstream)
    pool.expire(loop.time() - 60)
    connection = await pool.connect(upstream, Limits())
    pool.give_back(connection)
    assert connection.is_open
    pool.expire(loop.time() - 60)
    assert not connection.is_open


async def test_nobody_listens(pool, upstream):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        await pool.connect(Upstream(host="127.0.0.1", port=port), Limits())


async def test_nobody_answers_in_time(pool, monkeypatch):
    async def never(*_args):
        await asyncio.Event().wait()

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "create_connection", never)
    with pytest.raises(TimeoutError):
        await pool.connect(Upstream(host="127.0.0.1", port=1), Limits(upstream_connect_seconds=0.01))


async def test_a_unix_socket_is_an_upstream_too(pool, tmp_path):
    path = str(tmp_path / "pages.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        connection = await pool.connect(Upstream(path=path), Limits())
        assert connection.is_open
        connection.close()
        await until(lambda: connection.transport is None)
    with pytest.raises(OSError, match=r"No such file|refused"):
        await pool.connect(Upstream(path=path + "x"), Limits())


async def refuse_and_accept(pool, upstream):
    ours = os.geteuid()
    with pytest.raises(ForeignListenerError) as caught:
        await pool.connect(structs.replace(upstream, owners=(ours + 1,)), Limits())
    assert ours == caught.value.uid
    connection = await pool.connect(structs.replace(upstream, owners=(ours,)), Limits())
    assert connection.is_open
    connection.close()
    await until(lambda: connection.transport is None)


async def test_somebody_elses_port_is_sent_nothing(pool, upstream):
    await refuse_and_accept(pool, upstream)


async def test_somebody_elses_unix_socket_is_sent_nothing(pool, tmp_path):
    path = str(tmp_path / "j.sock")
    async with serving(asyncio.start_unix_server, path) as server:
        await refuse_and_accept(pool, Upstream(path=path))
        await until(lambda: len(server.accepted) == 2)


async def test_a_connection_made_for_other_owners_is_not_taken(pool, upstream):
    pool.give_back(await pool.connect(upstream, Limits()))
    assert None is pool.take(structs.replace(upstream, owners=(os.geteuid(),)))
