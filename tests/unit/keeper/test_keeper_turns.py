import pytest

from nbgate.keeper.turns import recorded_name


@pytest.mark.parametrize(("name", "expected"), [("Ada", "ada"), ("a b", "[3 chars]"), ("\u00e9", "[1 chars]")])
def test_only_names_that_can_be_somebodys_are_recorded(name, expected):
    assert expected == recorded_name(name)
