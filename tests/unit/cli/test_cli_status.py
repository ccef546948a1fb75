"""How the running gateway is, for people and for programs."""

import json
import re

STATUS = {
    "version": "0.1.0",
    "ready": True,
    "keeper_started": "t",
    "listening": ["https://127.0.0.1:8443/"],
    "certificate_sha256": "AA:BB",
    "policy_version": 1,
    "users": 1,
    "locked_down": False,
    "sessions": 2,
    "tokens": 0,
    "penalties": 0,
    "processes": [
        {"role": "keeper", "pid": 10, "started": "t0", "restarts": 0},
        {
            "role": "worker", "pid": 11, "started": "t1", "restarts": 3, "worker": 1, "linked": True,
            "confinement": ["no_new_privs", "landlock 7: files"], "accepting": True,
            "connections": 4, "places": 8192, "strangers": 1, "websockets": 5, "requests": 6, "refused": 7,
            "lag_seconds": 0.25,
        },
    ],
    "upstreams": [
        {
            "name": "nb", "product": "JupyterLab", "address": "127.0.0.1:8888", "base_url": "/", "mounted_at": "/",
            "source": "configuration",
            "condition": "down", "since": "t2", "hint": "start it",
        },
        {
            "name": "", "product": "a notebook server", "address": "unix:/run/\x1b.sock", "base_url": "/", "mounted_at": "",
            "source": "runtime",
            "condition": "unknown", "since": "t3", "hint": "name it",
        },
    ],
    "audit": {"failing_since": None, "segment": "audit-000000000000.jsonl", "next_seq": 7},
}  # fmt: skip


def test_status_is_a_table_for_people_and_json_for_programs(run, gateway):
    gateway.answers += [(200, STATUS)] * 2

    code, out, err = run("status")
    assert (0, "") == (code, err)
    assert "listening    https://127.0.0.1:8443/\n" in out
    assert "audit        written, next record 7 in audit-000000000000.jsonl\n" in out
    rows = [re.split("  +", line) for line in out.splitlines()]
    assert ["127.0.0.1:8888", "JupyterLab", "/", "/", "configuration", "down", "t2"] in rows
    assert ["unix:/run/\\x1b.sock", "a notebook server", "/", "nowhere", "nbgate routes", "unknown", "t3"] in rows
    assert "  hint: 127.0.0.1:8888: start it\n  hint: unix:/run/\\x1b.sock: name it\n" in out
    assert "keeper    10   0         t0\n" in out
    figures = ["t1", "4 of 8192", "1", "5", "6", "7", "0.25 s", "no_new_privs, landlock 7: files"]
    assert ["worker 1", "11", "3", *figures] in rows
    assert STATUS == json.loads(run("status", "--format", "json")[1])


def test_where_there_is_nothing_to_do_no_hint_is_said(run, gateway):
    good = STATUS["upstreams"][0] | {"mounted_at": "lab1.example.org/", "source": "found", "hint": ""}
    gateway.answers.append((200, {**STATUS, "upstreams": [good]}))
    out = run("status")[1]
    assert (True, False) == ("lab1.example.org/" in out, "hint:" in out)
    assert "found" in out


def test_status_says_that_nothing_runs(run, gateway):
    gateway.answers.append((200, {**STATUS, "upstreams": []}))
    assert "upstream: no notebook server is running; one that starts is found by itself\n" in run("status")[1]


def test_status_says_what_does_not_work(run, gateway):
    audit = {**STATUS["audit"], "failing_since": "t9"}
    gateway.answers.append((200, {**STATUS, "ready": False, "audit": audit, "penalties": 3}))
    out = run("status")[1]

    assert "ready        no\n" in out
    assert "penalties    3 netblocks refused\n" in out
    assert "audit        cannot be written since t9, next" in out


def test_what_is_unusual_has_a_line_of_its_own(run, gateway):
    gateway.answers += [(200, STATUS), (200, STATUS | {"locked_down": True, "tokens": 3, "penalties": 1})]
    usual, unusual = (run("status")[1].splitlines() for _ in range(2))

    assert [
        "tokens       3",
        "login        closed by nbgate lockdown",
        "penalties    1 netblocks refused",
    ] == [line for line in unusual if line not in usual]
