"""What a request costs does not grow with the number of routes: the same calls are made for 10 and for 10,000."""

import gc
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from bench import routes_cost
from bench.routes_cost import FEW, MANY, Crowd


def calls_of(routes, *, by_host, again):
    """Return every call, of Python and of C, that judging thirty requests makes, and how often each is made."""
    crowd = Crowd(routes, by_host=by_host)
    for number in range(30):
        crowd.ask(number, again=again)  # what is learnt once for all is learnt
    made = Counter()

    def note(frame, event, of):
        if event == "call":
            made[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            made[of.__qualname__] += 1

    sys.setprofile(note)
    try:
        for number in range(30, 60):
            crowd.ask(number, again=again)
    finally:
        sys.setprofile(None)
    return made


@pytest.fixture(autouse=True)
def no_collection():
    """Keep the collector out of the counts: whoever was told of its runs is called in the middle of them."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("by_host", [False, True])
@pytest.mark.parametrize("again", [False, True])
def test_as_many_calls_are_made_however_many_routes_there_are(by_host, again):
    few, many = (calls_of(routes, by_host=by_host, again=again) for routes in (FEW, MANY))
    assert few == many
    assert few["decide"] == 30
    assert bool(few["RouteTable.match"]) is not again


@pytest.mark.parametrize("by_host", [False, True])
def test_a_change_of_one_route_makes_as_many_calls_however_many_there_are(by_host):
    def calls(routes):
        crowd = Crowd(routes, by_host=by_host)
        route = crowd.policy.places.routes.get("r00003")
        made = []
        sys.setprofile(lambda frame, event, _of: made.append(frame.f_code.co_qualname) if event == "call" else None)
        try:
            crowd.policy.places.routes.with_changes((route,), ("r00004",))
        finally:
            sys.setprofile(None)
        return Counter(made)

    assert calls(FEW) == calls(MANY)


def test_what_the_start_costs_is_not_counted(monkeypatch):
    asked = []

    def run(words, **_more):
        asked.append(words)
        requests = int(words[words.index("--requests") + 1])
        return SimpleNamespace(returncode=0, stderr=f"==1== Collected : {7_000_000 + 200 * requests}\n")

    monkeypatch.setattr(routes_cost.subprocess, "run", run)
    assert 200.0 == routes_cost.per_request(FEW, 100, by_host=True, again=True)
    assert ["--by-host", "--again"] == asked[-1][-2:]
    assert 200.0 == routes_cost.per_request(MANY, 100, by_host=False, again=False)
    assert "--by-host" not in asked[-1]


@pytest.mark.parametrize(("cost", "code"), [(1.0, 0), (1.05, 0), (1.06, 1)])
def test_the_check_fails_above_its_limit(monkeypatch, capsys, cost, code):
    monkeypatch.setattr(
        routes_cost, "per_request", lambda routes, _requests, **_kind: 1000.0 * (cost if routes == MANY else 1.0)
    )
    assert code == routes_cost.main(["--check"])
    assert 0 == routes_cost.main([])
    assert f"| {cost:.3f} |" in capsys.readouterr().out


def test_a_run_that_fails_is_no_figure(monkeypatch):
    failed = SimpleNamespace(returncode=1, stderr="no such tool")
    monkeypatch.setattr(routes_cost.subprocess, "run", lambda *_words, **_more: failed)
    with pytest.raises(SystemExit, match="no such tool"):
        routes_cost.instructions(FEW, 1, by_host=True, again=True)


def test_one_run_judges_what_it_is_told_to(monkeypatch):
    asked = []
    monkeypatch.setattr(routes_cost.gc, "freeze", lambda: None)
    monkeypatch.setattr(routes_cost.gc, "set_threshold", lambda *_few: None)
    monkeypatch.setattr(Crowd, "ask", lambda _crowd, number, *, again: asked.append((number, again)))
    assert 0 == routes_cost.main(["run", "--routes", "12", "--requests", "15", "--by-host", "--again"])
    assert [(number, True) for number in range(15)] == asked
