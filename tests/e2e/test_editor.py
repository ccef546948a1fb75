"""The way of VS Code and other editors: `@jupyterlab/services` in Node, with a token of nbgate's in place of a login."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nbgate.testing.gateway import running_gateway
from nbgate.testing.jupyter import running_jupyter

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("run_cell.mjs")
NODE_MODULES = Path(os.environ.get("NBGATE_TEST_NODE_MODULES") or ROOT / ".make/services/node_modules")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running_jupyter(tmp_path_factory.mktemp("jupyter")) as jupyter:
        environment = {"JUPYTER_RUNTIME_DIR": str(jupyter.runtime)}
        folder = tmp_path_factory.mktemp("gateway")
        with running_gateway(folder, f"localhost:{jupyter.port}", environment=environment) as running:
            yield running


def new_token(gateway, name, scope):
    made = gateway.command("token", "add", "ada", "--name", name, "--scope", scope)
    assert 0 == made.returncode, made.stderr
    return made.stdout.strip()


def run_cell(gateway, folder, token, code):
    """Run the cell as an editor would; return what it says."""
    authority = folder / "authority.pem"
    gateway.certificate.authority.cert_pem.write_to_path(str(authority))
    environment = os.environ | {"NODE_MODULES": str(NODE_MODULES), "NODE_EXTRA_CA_CERTS": str(authority)}
    words = [shutil.which("node"), str(PROGRAM), f"{gateway.base_url}/", token, code]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=90, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_an_editor_with_a_token_starts_a_kernel_and_runs_a_cell(gateway, tmp_path):
    token = new_token(gateway, "editor", "execute")
    assert {"status": "ok", "output": "42\n"} == run_cell(gateway, tmp_path, token, "print(6 * 7)")
    opened = [record for record in gateway.audit() if record["event.action"] == "websocket.open"]
    assert {"ada"} == {record["user.name"] for record in opened}
    assert token.encode() not in b"".join(gateway.audit_lines())
    assert token not in gateway.program.said()


def test_a_token_that_may_read_runs_nothing_and_a_wrong_one_reads_nothing(gateway, tmp_path):
    reader = new_token(gateway, "reader", "read")
    refused = run_cell(gateway, tmp_path, reader, "print(6 * 7)")
    assert 403 == refused["status"]
    assert 200 == gateway.request("GET", "/api/kernels", headers={"Authorization": f"token {reader}"})[0]
    wrong = reader[:-5] + "AAAA" + reader[-1]
    assert 401 == run_cell(gateway, tmp_path, wrong, "print(6 * 7)")["status"]


def test_a_token_that_is_revoked_is_over_at_once(gateway, tmp_path):
    token = new_token(gateway, "lost laptop", "execute")
    headers = {"Authorization": f"Bearer {token}"}
    assert 200 == gateway.request("GET", "/api/kernels", headers=headers)[0]
    shown = json.loads(gateway.command("token", "list", "--format", "json").stdout)
    (label,) = [row["id"] for row in shown if row["name"] == "lost laptop"]
    assert 0 == gateway.command("token", "revoke", label).returncode
    assert 401 == gateway.request("GET", "/api/kernels", headers=headers)[0]
