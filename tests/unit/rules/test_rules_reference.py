"""The reference page says of every shipped rule what it is."""

from nbgate.rules.pack import load_pack, shipped_pack
from nbgate.rules.ports import CLOSED_PORTS
from nbgate.rules.reference import rules_page

ROWS = """
[[rule]]
id = "closed"
severity = "high"
why = "because"
reference = "somewhere"
action = "deny"
says = "This is closed."
methods = ["POST", "PUT"]
equals = ["/a"]
prefix = ["/b"]
glob = ["/*.c"]
except = ["/b/{server_proxy_port}/**"]
match = ["POST /a"]
pass = ["GET /a", "POST /d"]

[[rule]]
id = "scanned"
severity = "low"
why = "nobody else asks"
reference = "elsewhere"
action = "penalise"
seconds = 2.5
at = "host"
equals = ["/e"]
match = ["GET /e"]
pass = ["GET /f", "GET /g"]
"""


def test_a_rule_is_told_in_words():
    page = rules_page(load_pack("x.toml", ROWS))
    assert page.endswith(
        """\
## The rules

### closed

deny · severity high · somewhere

Because.

- matches POST, PUT below each notebook server's base URL: `/a`, `/b/**`, `/*.c`
- but not: `/b/{server_proxy_port}/**`
- says: This is closed.
- for example: `POST /a`
- and not: `GET /a`, `POST /d`

### scanned

penalise, 2.5 seconds · severity low · elsewhere

Nobody else asks.

- matches every method at the root of the host: `/e`
- for example: `GET /e`
- and not: `GET /f`, `GET /g`
"""
    )


def test_every_shipped_rule_and_every_closed_port_is_there():
    page = rules_page(shipped_pack())
    assert [row.id for row in shipped_pack()] == [line[4:] for line in page.splitlines() if line.startswith("### ")]
    assert all(f"| {row.port} | {row.name} |" in page for row in CLOSED_PORTS)
