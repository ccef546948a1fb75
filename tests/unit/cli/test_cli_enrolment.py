"""A second factor on the terminal: the QR code, the secret, the proof, and the recovery codes."""

import io

import pytest
import segno

from nbgate.cli.enrolment import print_codes, show_secret, typed_codes
from nbgate.errors import StartError

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
URI = f"otpauth://totp/nbgate:ada%40gate.example?secret={SECRET}&issuer=nbgate"
BLOCKS = frozenset(" \u2580\u2584\u2588")


class Screen(io.StringIO):
    named = ""

    @property
    def encoding(self) -> str:
        return self.named


@pytest.fixture
def screen(monkeypatch):
    """Return what opens a terminal that is wide enough, and brings what is said on it.

    Not before the test runs: pytest puts its own in place when it begins.
    """

    def opening(columns: int = 80, encoding: str = "utf-8") -> Screen:
        screen = Screen()
        screen.named = encoding
        monkeypatch.setattr("sys.stderr", screen)
        monkeypatch.setenv("COLUMNS", str(columns))
        return screen

    return opening


def modules(lines):
    """Return the QR code that the lines show: True is dark, as the background is."""
    halves = {" ": (True, True), "\u2580": (False, True), "\u2584": (True, False), "\u2588": (False, False)}
    rows = []
    for line in lines:
        rows += zip(*(halves[char] for char in line), strict=True)
    return rows


def test_the_qr_code_holds_the_uri_and_the_secret_stands_below(screen):
    screen = screen()
    show_secret(SECRET, URI)
    lines = screen.getvalue().splitlines()
    shown = [line for line in lines if line and set(line) <= BLOCKS]
    code = segno.make(URI, micro=False)
    expected = [tuple(bool(module) for module in row) for row in code.matrix_iter(border=4)]

    assert expected == [tuple(row) for row in modules(shown)][: len(expected)]
    assert "Secret: JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP" == lines[-1]
    assert "\x1b" not in screen.getvalue()


@pytest.mark.parametrize(
    ("columns", "encoding", "said"),
    [(40, "utf-8", "too narrow for the QR code"), (80, "ascii", "its locale is not UTF-8")],
)
def test_a_terminal_that_cannot_show_it_shows_the_secret(screen, columns, encoding, said):
    screen = screen(columns, encoding)
    show_secret(SECRET, URI)

    assert (True, True) == (said in screen.getvalue(), "Secret: JBSW Y3DP" in screen.getvalue())
    assert "\u2588" not in screen.getvalue()


def test_codes_are_asked_for_until_one_is_right(screen, monkeypatch):
    screen = screen()
    monkeypatch.setattr("sys.stdin", io.StringIO("123 456\n 654321\n"))
    codes = typed_codes()

    assert ("123456", "654321") == (next(codes), next(codes))
    assert 1 == screen.getvalue().count("nbgate: this code is not right\n  hint: ")


@pytest.mark.parametrize(
    ("typed", "said"), [("", "no code was typed: nothing was changed"), ("1\n2\n3\n", "3 codes were wrong")]
)
def test_who_gives_up_has_changed_nothing(screen, monkeypatch, typed, said):
    screen()
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(StartError, match=said) as caught:
        list(typed_codes())

    assert caught.value.hint


def test_recovery_codes_go_to_standard_output_alone(screen, capsys):
    screen = screen()
    print_codes(["aaaaa-bbbbb", "ccccc-ddddd"])

    assert "aaaaa-bbbbb\nccccc-ddddd\n" == capsys.readouterr().out
    assert "not shown again" in screen.getvalue()
