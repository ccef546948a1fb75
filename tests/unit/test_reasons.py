"""The closed list of causes and its reference page say the same."""

import re
from pathlib import Path

from nbgate.reasons import Reason

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "reasons.md"


def test_every_reason_is_documented_and_nothing_else_is():
    rows = re.findall(r"^\| `([a-z-]+)` \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(reason.value for reason in Reason) == sorted(rows)
