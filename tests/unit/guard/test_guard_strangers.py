"""Who must go when there are too many strangers."""

import random

import pytest

from nbgate.guard.strangers import Strangers
from nbgate.reasons import Reason


def let_in(places, netblock_places, *who):
    """Let `who` in, each a letter of its netblock and a number; return who had to go, in order."""
    strangers = Strangers(places=places, netblock_places=netblock_places)
    gone = [strangers.add(key, key[0]) for key in who]
    return [(dropped[0], dropped[1].value) for dropped in gone if dropped is not None], len(strangers)


@pytest.mark.parametrize(
    ("places", "netblock_places", "who", "gone"),
    [
        (3, 9, "a1 b1 c1", ""),
        (3, 9, "a1 b1 c1 d1", "a1"),
        (3, 9, "b1 a1 a2 c1", "a1"),
        (3, 9, "b1 a1 a2 a3 a4 a5", "a1 a2 a3"),
        (4, 9, "a1 a2 b1 b2 c1", "a1"),
        (4, 9, "a1 b1 b2 a2 c1 d1 e1", "b1 a1 c1"),
        (1, 9, "a1 b1 c1", "a1 b1"),
    ],
    ids=[
        "there are places",
        "all alike: the first",
        "the crowd, not who came first",
        "a crowd displaces itself",
        "alike: who was so many first",
        "crowd after crowd, then the netblock that has held one for longest",
        "one place",
    ],
)
def test_who_waited_longest_in_the_netblock_that_holds_most_goes(places, netblock_places, who, gone):
    keys = who.split()
    expected = [(key, Reason.STRANGER_CONNECTIONS.value) for key in gone.split()]
    assert (expected, len(keys) - len(expected)) == let_in(places, netblock_places, *keys)


def test_a_netblock_past_its_own_bound_loses_its_oldest_with_a_reason_of_its_own():
    gone, count = let_in(100, 2, "a1", "b1", "a2", "a3", "b2", "a4")
    assert ([("a1", "netblock-connections"), ("a2", "netblock-connections")], 4) == (gone, count)


def test_the_newcomer_is_never_the_one():
    strangers = Strangers(places=1, netblock_places=1)
    assert None is strangers.add("a1", "a")
    for number in range(2, 50):
        dropped, _ = strangers.add(f"a{number}", "a")
        assert f"a{number - 1}" == dropped


def test_who_has_gone_or_become_a_friend_is_not_counted():
    strangers = Strangers(places=2, netblock_places=2)
    strangers.add("a1", "a")
    strangers.add("a2", "a")
    strangers.remove("a1", "a")
    assert None is strangers.add("b1", "b")
    assert ("a2", Reason.STRANGER_CONNECTIONS) == strangers.add("c1", "c")


def test_anybody_who_can_be_spared_is_found_until_there_is_nobody():
    strangers = Strangers(places=9, netblock_places=9)
    for key in ("b1", "a1", "a2"):
        strangers.add(key, key[0])
    assert ["a1", "b1", "a2", None] == [strangers.evict() for _ in range(4)]


def test_it_does_the_same_as_the_rule_written_out():
    """A thousand random steps beside a model that looks at everybody each time."""
    choose = random.Random(7)
    strangers, model = Strangers(places=12, netblock_places=6), []
    for number in range(1000):
        if model and choose.random() < 0.3:
            key, netblock = model.pop(choose.randrange(len(model)))
            strangers.remove(key, netblock)
            continue
        netblock = choose.choice("abcd")
        model.append((number, netblock))
        dropped = strangers.add(number, netblock)
        sizes = {block: sum(1 for _, other in model if other == block) for block in "abcd"}
        if sizes[netblock] > 6:
            fullest = {netblock}
        elif len(model) > 12:
            fullest = {block for block, size in sizes.items() if size == max(sizes.values())}
        else:
            assert None is dropped
            continue
        assert dropped is not None
        oldest = {block: next(key for key, other in model if other == block) for block in fullest}
        assert dropped[0] in oldest.values()
        model.remove(next(entry for entry in model if entry[0] == dropped[0]))
        assert len(model) == len(strangers)
