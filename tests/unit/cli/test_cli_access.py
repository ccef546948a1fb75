"""Who may come in at all, through the running gateway."""

import json

import pytest

FORGOTTEN = "; what logins had cost there is forgotten\n"
LINKS = ["https://gw.example/_nbgate/link/abc", "https://localhost:8443/_nbgate/link/abc"]


def test_a_link_is_printed_for_each_address(run, gateway):
    gateway.answers.append((201, {"user": "ada", "links": LINKS, "minutes": 10}))
    said = "nbgate: whoever opens this within 10 minutes is signed in as ada, once:\n"

    assert (0, "".join(f"{link}\n" for link in LINKS), said) == run("login-link", "Ada")
    assert [("POST", "/users/Ada/link")] == [(method, path) for method, path, _, _ in gateway.asked]


@pytest.mark.parametrize(
    ("words", "asked", "answer", "said"),
    [
        (
            ("unlock", "ada"),
            ("POST", "/users/ada/unlock"),
            {"user": "ada"},
            "nbgate: user ada: failed logins forgotten\n",
        ),
        (
            ("lockdown",),
            ("POST", "/lockdown"),
            {"ended_sessions": 7},
            (
                "nbgate: nobody can sign in; sessions and tokens ended: 7\n"
                "  hint: nbgate lockdown --lift lets people sign in again\n"
            ),
        ),
        (("lockdown", "--lift"), ("DELETE", "/lockdown"), {}, "nbgate: people can sign in again\n"),
        (("penalties", "clear"), ("DELETE", "/penalties"), {"cleared": 0}, f"nbgate: penalties lifted: 0{FORGOTTEN}"),
        (
            ("penalties", "clear", "192.0.2.7/32"),
            ("DELETE", "/penalties?netblock=192.0.2.7%2F32"),
            {"cleared": 1},
            f"nbgate: penalties lifted: 1{FORGOTTEN}",
        ),
    ],
)
def test_the_gateway_does_it_and_says_what(run, gateway, words, asked, answer, said):
    gateway.answers.append((200, answer))

    assert (0, "", said) == run(*words)
    assert [asked] == [(method, path) for method, path, _, _ in gateway.asked]


def test_penalties_are_listed_for_people_and_for_programs(run, gateway):
    penalties = [{"netblock": "192.0.2.7/32", "seconds": 12}]
    gateway.answers += [(200, {"penalties": penalties})] * 2

    assert (0, "netblock      seconds left\n192.0.2.7/32  12\n", "") == run("penalties", "list")
    assert penalties == json.loads(run("penalties", "list", "--format", "json")[1])


@pytest.mark.parametrize("words", [("login-link", "ada"), ("unlock", "ada"), ("lockdown",), ("penalties", "list")])
def test_without_a_gateway_it_is_said_what_to_do(run, folder, words):
    code, out, err = run(*words)

    assert (69, "") == (code, out)
    assert err.startswith(f"nbgate: no gateway runs with the data folder {folder}\n  hint: start nbgate first")
