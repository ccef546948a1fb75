import pytest

from nbgate.model.route import Route, Upstream
from nbgate.rewrite.policy_report import map_policies

UPSTREAM = Upstream(host="127.0.0.1", port=8888)
DOWN = Route(name="x", prefix="/lab1/", upstream=UPSTREAM)
UP = Route(name="x", prefix="/", base_url="/ipython/", upstream=UPSTREAM)


def lines(value: str, name: str = "Content-Security-Policy") -> list[tuple[str, bytes, str]]:
    return [(name.lower(), f"{name}: {value}\r\n".encode("latin-1"), value)]


@pytest.mark.parametrize(
    ("value", "mapped"),
    [
        ("frame-ancestors 'self'; report-uri /api/security/csp-report", "frame-ancestors 'self'; report-uri /lab1/api/security/csp-report"),
        ("report-uri /api/security/csp-report; default-src 'none'", "report-uri /lab1/api/security/csp-report; default-src 'none'"),
        ("REPORT-URI\t/x", "REPORT-URI\t/lab1/x"),
        ("report-uri /x  /y https://r.example/z", "report-uri /lab1/x  /lab1/y https://r.example/z"),
        ("default-src 'self', report-uri /x", "default-src 'self', report-uri /lab1/x"),
        ("report-uri http://127.0.0.1:8888/x", "report-uri /lab1/x"),
        ("report-uri //r.example/x", "report-uri //r.example/x"),
        ("report-uri", "report-uri"),
        ("report-urix /x", "report-urix /x"),
        ("script-src report-uri /x", "script-src report-uri /x"),
        ("script-src /static/", "script-src /static/"),
        ("report-to /x", "report-to /x"),
        ("", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["Content-Security-Policy", "content-security-POLICY-report-only"])
def test_reports_go_to_the_public_address(name: str, value: str, mapped: str) -> None:
    assert lines(mapped, name) == list(map_policies(lines(value, name), DOWN))


def test_a_prefix_ends_no_directive() -> None:
    odd = Route(name="x", prefix="/a;b,c/", upstream=UPSTREAM)
    assert lines("report-uri /a%3Bb%2Cc/x; default-src 'none'") == list(
        map_policies(lines("report-uri /x; default-src 'none'"), odd)
    )


def test_no_address_becomes_another_host_and_other_lines_stay() -> None:
    policy = lines("report-uri /ipython//evil.example/ /ipython/x")
    other = lines("report-uri /ipython/x", "X-Other")
    assert lines("report-uri /ipython//evil.example/ /x") + other == list(map_policies(policy + other, UP))
