"""What is asked of the kernel; what it then enforces is tried in test_edge_confine.py."""

import sys

import pytest

from nbgate.edge import landlock


@pytest.mark.parametrize(
    ("abi", "size", "files"),
    [
        (1, 8, 0x1FFF),
        (2, 8, 0x3FFF),
        (3, 8, 0x7FFF),
        (4, 16, 0x7FFF),
        (5, 16, 0xFFFF),
        (6, 24, 0xFFFF),
        (9, 24, 0xFFFF),
    ],
)
def test_everything_a_kernel_of_that_version_can_deny_is_denied(abi, size, files):
    attributes = landlock.ruleset_attributes(abi)

    assert size == len(attributes)
    assert files == int.from_bytes(attributes[:8], sys.byteorder)
    assert [1, 3][: size // 8 - 1] == [
        int.from_bytes(attributes[at : at + 8], sys.byteorder) for at in range(8, size, 8)
    ]


def test_a_rule_that_the_kernel_refuses_is_an_error(tmp_path):
    with pytest.raises(OSError, match="landlock"):
        landlock._allow(-1, tmp_path, landlock.READ_FILE)


def test_a_path_that_does_not_exist_needs_no_rule(tmp_path):
    landlock._allow(-1, tmp_path / "missing", landlock.READ_FILE)


def test_the_kernel_says_its_version_or_none():
    assert landlock.abi_version() >= 0
