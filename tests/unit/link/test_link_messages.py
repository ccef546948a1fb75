"""The closed sets: which messages may arrive where."""

from typing import get_args, get_type_hints

import msgspec
import pytest

from nbgate.config.schema import Penalties
from nbgate.link import messages
from nbgate.link.messages import (
    MAX_QUEUED_BYTES,
    Message,
    PenaltiesPut,
    ToKeeper,
    ToKeeperFromSupervisor,
    ToSupervisor,
    ToWorker,
    ToWorkerFromSupervisor,
)
from nbgate.model.penalty import Penalty

UNIONS = [ToKeeper, ToKeeperFromSupervisor, ToSupervisor, ToWorker, ToWorkerFromSupervisor]
ALL = {kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, Message)} - {Message}


def test_every_message_may_arrive_somewhere():
    assert {kind for union in UNIONS for kind in get_args(union)} == ALL


@pytest.mark.parametrize("kind", sorted(ALL, key=lambda kind: kind.__name__))
def test_every_message_is_a_frozen_array_that_begins_with_its_name(kind):
    config = kind.__struct_config__

    assert (True, True, True) == (config.frozen, config.array_like, config.forbid_unknown_fields)
    assert kind.__name__ == config.tag
    assert kind.__doc__


@pytest.mark.parametrize("union", UNIONS)
def test_every_union_can_be_told_apart_on_the_wire(union):
    msgspec.msgpack.Decoder(union)


def test_keys_are_not_shown():
    from nbgate.model.keys import TlsMaterial

    assert "key" not in repr(TlsMaterial(chain_pem=b"chain", key_pem=b"key"))


def test_all_penalties_that_a_keeper_may_remember_fit_a_link_twice():
    """A worker is sent all of them with each snapshot: one that does not fit would end every link, again and again."""
    notes = get_type_hints(Penalties, include_extras=True)["netblocks"].__metadata__
    most = next(note.le for note in notes)
    longest = Penalty("2001:db88:1234:5678::/64", 123456.789)
    one, two = (len(msgspec.msgpack.encode(PenaltiesPut(penalties=(longest,) * count))) for count in (1000, 2000))
    assert 2 * most * (two - one) / 1000 < MAX_QUEUED_BYTES
