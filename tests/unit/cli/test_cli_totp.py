"""Second factors through the running gateway."""

import io
import sys

import pytest

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
BEGUN = {"secret": SECRET, "uri": f"otpauth://totp/ada?secret={SECRET}"}
DONE = {"accepted": True, "user": "ada", "codes": ["aaaaa-bbbbb", "ccccc-ddddd"]}


@pytest.fixture
def terminal(monkeypatch):
    """Type on a terminal."""

    def typing(text: str) -> None:
        typed = io.StringIO(text)
        typed.isatty = lambda: True
        monkeypatch.setattr("sys.stdin", typed)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    return typing


@pytest.mark.parametrize(
    ("flags", "alone", "said"),
    [
        ((), "no", "a code is asked for beside the password"),
        (("--alone",), "yes", "a code alone opens the account"),
    ],
)
def test_an_app_is_enrolled_when_its_code_is_right(run, gateway, terminal, flags, alone, said):
    terminal("000 000\n123 456\n")
    gateway.answers += [(200, BEGUN), (200, {"accepted": False}), (200, DONE)]
    code, out, err = run("totp", "enroll", "Ada", *flags)

    assert (0, "aaaaa-bbbbb\nccccc-ddddd\n") == (code, out)
    assert ("Secret: JBSW Y3DP" in err, f"nbgate: user ada: {said}\n" in err) == (True, True)
    assert 1 == err.count("this code is not right")
    assert [
        ("POST", "/users/Ada/totp", None),
        ("POST", "/users/Ada/totp/confirm", {"code": "000000", "alone": alone}),
        ("POST", "/users/Ada/totp/confirm", {"code": "123456", "alone": alone}),
    ] == [(method, path, body) for method, path, _, body in gateway.asked]


def test_three_wrong_codes_change_nothing(run, gateway, terminal):
    terminal("1\n2\n3\n")
    gateway.answers += [(200, BEGUN), *[(200, {"accepted": False})] * 3]
    code, out, err = run("totp", "enroll", "ada")

    assert (1, "") == (code, out)
    assert "nbgate: 3 codes were wrong: nothing was changed\n  hint: " in err


def test_without_a_terminal_nothing_is_begun(run, gateway, typed):
    typed(b"123456\n")
    code, out, err = run("totp", "enroll", "ada")

    assert (2, "", []) == (code, out, gateway.asked)
    assert err.startswith("nbgate: there is no terminal to show a QR code on\n  hint: ")


@pytest.mark.parametrize(
    ("words", "asked", "out", "said"),
    [
        (("remove", "a/b"), ("DELETE", "/users/a%2Fb/totp"), "", "no second factor any more"),
        (("codes", "ada"), ("POST", "/users/ada/codes"), "aaaaa-bbbbb\nccccc-ddddd\n", "new recovery codes"),
    ],
)
def test_factors_are_changed_by_the_gateway(run, gateway, words, asked, out, said):
    gateway.answers.append((200, DONE))
    code, found, err = run("totp", *words)

    assert (0, out) == (code, found)
    assert f"nbgate: user ada: {said}" in err
    assert [asked] == [(method, path) for method, path, _, _ in gateway.asked]


@pytest.mark.parametrize("words", [("remove", "ada"), ("codes", "ada")])
def test_without_a_gateway_it_is_said_what_to_do(run, folder, words):
    code, out, err = run("totp", *words)

    assert (69, "") == (code, out)
    assert err.startswith(f"nbgate: no gateway runs with the data folder {folder}\n  hint: start nbgate first")
