"""A real JupyterLab, a gateway in front of it, a real browser: one of each for a file that asks for it."""

import pytest

from nbgate.testing.browser import running_chromium
from nbgate.testing.gateway import running_gateway
from nbgate.testing.jupyter import running_jupyter


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    with running_jupyter(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(jupyter, tmp_path_factory):
    environment = {"JUPYTER_RUNTIME_DIR": str(jupyter.runtime)}
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(folder, f"localhost:{jupyter.port}", environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with running_chromium() as running:
        yield running
