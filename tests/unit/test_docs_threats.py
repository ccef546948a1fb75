"""The page on threats names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "threats.md").read_text(encoding="utf-8")
BYTES = ROOT / "tests" / "wire" / "invalid"


def test_every_test_the_page_names_is_there():
    named = re.findall(r"`((?:tests|rules|certs)/[^`]+)`", PAGE)
    assert [] == [path for path in named if not list(ROOT.glob(path))]


def test_every_row_of_bytes_the_page_names_is_there():
    named = re.findall(r"`(?:tests/wire/invalid/)?([dt][0-9]{2}-\*)`", PAGE)
    assert [] == [pattern for pattern in named if not list(BYTES.glob(pattern))]
    assert len(named) > 15


def test_every_row_of_the_sections_has_its_line():
    rows = {f"D{number:02}" for number in range(1, 31)} | {
        f"T{number:02}" for number in (*range(1, 25), *range(26, 32), 34, *range(36, 45))
    }
    named = set()
    for first, last in re.findall(r"\| ([DT][0-9]{2})(?:[\u2013,] ?([DT][0-9]{2}))? \|", PAGE):
        named |= {f"{first[0]}{number:02}" for number in range(int(first[1:]), int((last or first)[1:]) + 1)}
    assert set() == rows - named
