"""Close codes: which may be sent, and the one that changes on its way."""

import pytest

from nbgate.websocket.close_codes import map_upstream_close, may_be_sent


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4401, 4999])
def test_registered_and_private_codes_may_be_sent(code):
    assert may_be_sent(code)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_reserved_codes_may_not_be_sent(code):
    assert not may_be_sent(code)


@pytest.mark.parametrize(("begun", "sent"), [(None, None), (1000, 1000), (1001, 1012), (1012, 1012), (4000, 4000)])
def test_only_going_away_changes(begun, sent):
    assert sent == map_upstream_close(begun)
