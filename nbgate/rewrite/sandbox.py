"""Show documents that somebody's files hold in a sandbox: their scripts run, but as nobody (T22).

Without it a page or picture in a person's files, or the output of a cell in a converted notebook, would act with the
session of whoever opens it (CVE-2018-19351, CVE-2018-21030, CVE-2026-44727). It judges heads, and reads no body.
"""

import re

from nbgate.http.headers import split_list
from nbgate.http.response import ResponseHead

SANDBOX_LINE = b"Content-Security-Policy: sandbox allow-scripts\r\n"

_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_NOT_MODIFIED = 304
_DOCUMENTS = frozenset({"application/xml", "text/html", "text/xml", "text/xsl"})


def sandbox_line(response: ResponseHead) -> bytes:
    """Return the line that a document in user content gets, b"" for what is none or has a sandbox already.

    A 304 does not say what it is about. Its policy takes the place of the one the browser kept; without one that stays.
    """
    policy = response.value("content-security-policy")
    may_run = _may_run(response.content_type) if response.status != _NOT_MODIFIED else policy is not None
    return SANDBOX_LINE if may_run and not _has_sandbox(policy or "") else b""


def _may_run(content_type: str | None) -> bool:
    """Say whether a browser could run scripts in it; what is no clear type could be read as any."""
    if content_type is None or "," in content_type:  # of a list some browsers take the last
        return True
    kind = content_type.partition(";")[0].strip(" \t")
    is_document = kind in _DOCUMENTS or kind.endswith("+xml") or kind.startswith("multipart/")
    return is_document or _TYPE.fullmatch(kind) is None


def _has_sandbox(policies: str) -> bool:
    """Say whether a policy of the server's own holds the page; one that leaves it its origin holds nothing."""
    directives = [directive.lower().split() for policy in split_list(policies) for directive in policy.split(";")]
    return any(words[:1] == ["sandbox"] and "allow-same-origin" not in words for words in directives)
