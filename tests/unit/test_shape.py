"""The shape of the code: short files, short functions, a test file for each source file, no swallowed error.

Each exception stands here with its reason; one that is no longer needed fails the test too.
"""

import ast
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
UNIT = TOP / "tests" / "unit"
FILE_LINES, FUNCTION_LINES = 400, 60

LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
TESTED_ELSEWHERE: dict[str, str] = {
    "nbgate/crypto/common_passwords.py": "a list; the policy that uses it: test_crypto_passwords.py",
    "nbgate/http/fields.py": "the header block of a head: test_http_head*.py",
    "nbgate/keeper/audit_start.py": "how a log is opened: test_keeper_audit_writer.py",
    "nbgate/keeper/ended.py": "records of ended sessions: test_keeper_keeper*.py and test_keeper_users.py",
    "nbgate/model/exposure.py": "a value without behaviour: test_pipeline_identity.py makes them",
    "nbgate/model/penalty.py": "values without behaviour: test_keeper_penalties.py makes them",
    "nbgate/model/principal.py": "a value without behaviour: test_authenticators_local.py makes them",
    "nbgate/model/rule.py": "values without behaviour: test_rules_match.py makes them",
    "nbgate/ports.py": "protocols; every sentence of theirs: tests/contract",
    "nbgate/testing/edge_rig.py": "a real worker: every test of tests/unit/edge",
    "nbgate/testing/replay.py": "feeds recorded bytes: tests/property and the wire corpus",
    "nbgate/testing/browser.py": "needs Chromium: tests/e2e/test_jupyterlab.py",
    "nbgate/testing/demo.py": "needs a real JupyterLab: tests/e2e/test_demo.py",
    "nbgate/testing/gateway.py": "needs the whole gateway: every test of tests/e2e and tests/wire",
    "nbgate/testing/jupyter.py": "needs a real JupyterLab: tests/e2e/test_jupyterlab.py",
    "nbgate/testing/raw_client.py": "proven against the stub: tests/unit/testing/test_testing_stub_and_client.py",
    "nbgate/testing/stub_upstream.py": "proven against the client: tests/unit/testing/test_testing_stub_and_client.py",
}


def sources():
    return [path for folder in ("nbgate", "bench") for path in sorted((TOP / folder).rglob("*.py"))]


def name_of(path):
    return path.relative_to(TOP).as_posix()


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path):
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def lines_without_docstring(function):
    """Count from `def` to the last line, less the docstring's own lines."""
    total = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        total -= first.end_lineno - first.lineno + 1
    return total


def is_swallowed(handler):
    """Say whether an `except` of everything does nothing at all."""
    catches_all = handler.type is None or getattr(handler.type, "id", "") in {"Exception", "BaseException"}
    return catches_all and all(isinstance(statement, ast.Pass) for statement in handler.body)


def expected_test(path):
    """Return the pattern of the test files of a source file: the room's name keeps them apart."""
    room = path.relative_to(TOP / "nbgate").parent
    prefix = "".join(f"{part}_" for part in room.parts)
    return UNIT / room, f"test_{prefix}{path.stem}*.py"


def test_files_are_short():
    long = {name_of(path) for path in sources() if len(path.read_text(encoding="utf-8").splitlines()) > FILE_LINES}
    assert set(LONG_FILES) == long


def test_functions_are_short():
    long = {
        f"{name_of(path)}:{function.name}"
        for path in sources()
        for function in functions(path)
        if lines_without_docstring(function) > FUNCTION_LINES
    }
    assert set(LONG_FUNCTIONS) == long


def test_every_source_file_has_its_test_file():
    missing = set()
    for path in sorted((TOP / "nbgate").rglob("*.py")):
        folder, pattern = expected_test(path)
        if path.name not in {"__init__.py", "__main__.py"} and not list(folder.glob(pattern)):
            missing.add(name_of(path))
    assert set(TESTED_ELSEWHERE) == missing


def test_no_error_is_swallowed():
    handlers = [
        (name_of(path), node.lineno)
        for path in sources()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler) and is_swallowed(node)
    ]
    assert [] == handlers


def test_every_exception_has_a_reason():
    assert all({**LONG_FILES, **LONG_FUNCTIONS, **TESTED_ELSEWHERE}.values())


@pytest.mark.parametrize("room", sorted(path.parent.name for path in (TOP / "nbgate").glob("*/__init__.py")))
def test_every_room_says_what_it_is_for(room):
    assert ast.get_docstring(tree_of(TOP / "nbgate" / room / "__init__.py"))
