"""What commands say where no gateway runs."""

import pytest


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("user", "remove", "nobody"), 1, "there is no user nobody"),
        (("user", "remove", "no body"), 2, "this is no user name"),
        (("status",), 69, "no gateway runs with the data folder"),
        (("reload",), 69, "no gateway runs with the data folder"),
        (("user", "list", "--config", "missing.toml"), 78, "the configuration missing.toml does not exist"),
    ],
)
def test_what_cannot_be_done_without_a_gateway(run, folder, words, code, text):
    found, out, err = run(*words)

    assert (code, "") == (found, out)
    assert err.startswith(f"nbgate: {text}")
    assert "  hint: " in err
