"""The keeper process: open what it owns, tell the supervisor it is ready, serve until told to end.

What a keeper does is `nbgate.keeper.keeper`; here are only the process's own beginnings and ends. The applications on
its two sockets stand above this room and are handed in.
"""

import asyncio
import os
import resource
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, assert_never

import structlog
from aiohttp import web
from msgspec import Struct

from nbgate import __version__
from nbgate.audit.events import ConfigLoaded
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.authenticators.local import LocalAuthenticator
from nbgate.clock import Clock, SystemClock
from nbgate.crypto.passwords import SALT_BYTES, HashParameters, decoy_hash
from nbgate.errors import AuditError, ConfigError, ExitCode, LinkError, NbgateError, StartError, StoreError
from nbgate.keeper.audit_start import open_audit
from nbgate.keeper.audit_writer import AuditWriter
from nbgate.keeper.children import Children
from nbgate.keeper.discovery import find_servers, load_token, runtime_folders
from nbgate.keeper.folder import held, load_key, prepare_folder, write_control_key
from nbgate.keeper.keeper import Keeper, KeeperParts
from nbgate.keeper.load import load_fresh
from nbgate.keeper.log import configure_log
from nbgate.keeper.probe import probe_guard, probe_token
from nbgate.keeper.reload import Fresh, Reloader, config_sha256
from nbgate.keeper.server import require_c_parser, serving
from nbgate.keeper.status import StatusBoard
from nbgate.keeper.upstreams import Eyes, Look
from nbgate.link.channel import open_link
from nbgate.link.control import ControlLink
from nbgate.link.messages import (
    MAX_TO_KEEPER_BYTES,
    ChildEvent,
    DrainAsked,
    KeeperReady,
    KillWorker,
    LinkWorker,
    Listening,
    ReloadAsked,
    ToKeeper,
    ToKeeperFromSupervisor,
)
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Upstream
from nbgate.reasons import Reason
from nbgate.stores.sqlite import open_state
from nbgate.stores.thread import StoreThread
