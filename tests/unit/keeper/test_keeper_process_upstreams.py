"""What a keeper says of its upstreams at the start, and which of them keep it from starting."""

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest
import structlog
from msgspec import structs

from nbgate.clock import ManualClock
from nbgate.config.schema import Config, Login, Probe
from nbgate.errors import ExitCode, StartError
from nbgate.http.headers import make_tables
from nbgate.keeper import process as subject
from nbgate.keeper.assemble import opened
from nbgate.keeper.guarded import Upstreams
from nbgate.keeper.reload import Fresh
from nbgate.model.keys import TlsMaterial
from nbgate.model.route import Condition, Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.model.rule import Rules


@pytest.fixture(autouse=True)
def plain_log(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "none"))
    yield
    structlog.reset_defaults()


def fresh(folder, *named):
    return Fresh(
        config=Config(
            data_dir=str(folder), login=Login(memory_kib=8192, time_cost=1), probe=Probe(retry_seconds=1000.0)
        ),
        upstreams=Upstreams(named=tuple(RouteSpec(upstream=Upstream(host="127.0.0.1", port=port)) for port in named)),
        tables=make_tables(methods=frozenset({"GET"})),
        rules=Rules(),
        material=TlsMaterial(chain_pem=b"c", key_pem=b"k"),
        fingerprint="",
    )


async def first_look(folder, *named, replaces=False):
    async with opened(fresh(folder, *named), ManualClock(), lambda *_: None) as parts:
        await subject._first_look(structs.replace(parts, replaces=replaces))


@pytest.fixture
async def serve():
    """Start a server that answers everything with one status; return its port."""
    async with AsyncExitStack() as stack:

        async def start(status):
            async def answer(reader, writer):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
                writer.close()

            server = await stack.enter_async_context(await asyncio.start_server(answer, "127.0.0.1", 0))
            return server.sockets[0].getsockname()[1]

        yield start


async def test_two_with_one_base_url_are_refused_at_the_first_start_only(tmp_path, serve):
    ports = [await serve(403), await serve(403)]
    with pytest.raises(StartError) as caught:
        await first_look(tmp_path / "data", *ports)
    assert ExitCode.CONFIGURATION == caught.value.exit_code
    assert f"127.0.0.1:{ports[0]} and 127.0.0.1:{ports[1]} have the same base URL /" == caught.value.public
    await first_look(tmp_path / "data", *ports, replaces=True)


async def test_an_open_one_is_named(tmp_path, serve):
    port = await serve(200)
    with pytest.raises(StartError) as caught:
        await first_look(tmp_path / "data", await serve(403), port)
    assert f"the notebook server at 127.0.0.1:{port} asks for no credential" == caught.value.public


async def test_an_open_one_that_was_added_while_the_gateway_ran_keeps_it_from_nothing(tmp_path, serve):
    port = await serve(200)
    async with opened(fresh(tmp_path / "data", await serve(403)), ManualClock(), lambda *_: None) as parts:
        parts.keeper.mounts.put(RouteSpec(upstream=Upstream(host="127.0.0.1", port=port), prefix="/lab1/"))
        await subject._first_look(parts)
        shown = {each.at: each.condition for each in parts.keeper.mounts.shown()}
    assert {"/": Condition.TOKEN_UNKNOWN, "/lab1/": Condition.OPEN} == shown


@pytest.mark.parametrize(
    ("replaces", "said"),
    [(False, "nbgate: no notebook server is running; one that starts is found and guarded by itself\n"), (True, "")],
)
async def test_without_any_it_starts_and_says_so_once(tmp_path, capsys, replaces, said):
    await first_look(tmp_path / "data", replaces=replaces)
    assert said == capsys.readouterr().err


async def test_an_allow_list_for_a_place_where_nothing_is_is_said(tmp_path, capsys):
    started = fresh(tmp_path / "data")
    started = structs.replace(started, config=structs.replace(started.config, allow=("/lab9/=ada",)))
    async with opened(started, ManualClock(), lambda *_: None) as parts:
        await subject._first_look(parts)
    assert "nbgate: allow names /lab9/, and no notebook server is mounted there\n" in capsys.readouterr().err


async def test_one_that_does_not_run_yet_is_no_obstacle(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    await first_look(tmp_path / "data", port)
    assert "" == capsys.readouterr().err
