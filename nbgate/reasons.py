"""The closed list of causes. Every refusal, every audit event and every error page names one of these.

Data only: a reason decides nothing and says nothing about how it was found.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why something was refused, ended or failed; kebab-case, stable, documented in docs/reference/reasons.md."""

    # shape: the bytes of a request (THREATS 1.D)
    BAD_REQUEST_LINE = "bad-request-line"
    BAD_VERSION = "bad-version"
    BAD_TARGET = "bad-target"
    BAD_HEADER = "bad-header"
    BAD_HOST = "bad-host"
    BAD_LENGTH = "bad-length"
    BAD_TRANSFER_ENCODING = "bad-transfer-encoding"
    BAD_CHUNK = "bad-chunk"
    BAD_TRAILER = "bad-trailer"
    BAD_UPGRADE = "bad-upgrade"
    BODY_NOT_ALLOWED = "body-not-allowed"
    DUPLICATE_HEADER = "duplicate-header"
    EXPECTATION_UNKNOWN = "expectation-unknown"
    HEAD_TOO_LARGE = "head-too-large"
    LINE_TOO_LONG = "line-too-long"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    NOT_TLS = "not-tls"
    TOO_MANY_HEADERS = "too-many-headers"
    WEBSOCKET_VERSION = "websocket-version"

    # before or beside HTTP
    BAD_PROXY_HEADER = "bad-proxy-header"
    CLEARTEXT = "cleartext"
    SNI_UNKNOWN = "sni-unknown"
    WRONG_HOST = "wrong-host"

    # deadlines and limits
    BODY_TIMEOUT = "body-timeout"
    BODY_TOO_SLOW = "body-too-slow"
    HANDSHAKE_FAILED = "handshake-failed"
    HEAD_TIMEOUT = "head-timeout"
    KEEPALIVE_TIMEOUT = "keepalive-timeout"
    NETBLOCK_CONNECTIONS = "netblock-connections"
    NETBLOCK_RATE = "netblock-rate"
    OVERLOADED = "overloaded"
    SESSION_RATE = "session-rate"
    SESSION_REQUESTS = "session-requests"
    SESSION_WEBSOCKETS = "session-websockets"
    STRANGER_CONNECTIONS = "stranger-connections"
    UPSTREAM_BUSY = "upstream-busy"
    WORKER_FULL = "worker-full"
    WRITE_TIMEOUT = "write-timeout"
    BODY_TOO_LARGE = "body-too-large"

    # who is asking
    LOGIN_REQUIRED = "login-required"
    LOGIN_FAILED = "login-failed"
    LOGIN_BUSY = "login-busy"
    LOGIN_THROTTLED = "login-throttled"
    LOCKED_DOWN = "locked-down"
    SESSION_ENDED = "session-ended"
    SESSION_EXPIRED = "session-expired"
    SESSION_IDLE = "session-idle"
    LOGGED_OUT = "logged-out"
    SESSION_REVOKED = "session-revoked"
    SESSION_REUSED = "session-reused"
    SESSION_DISPLACED = "session-displaced"
    FACTOR_CHANGED = "factor-changed"
    ROLE_CHANGED = "role-changed"
    TOKEN_INVALID = "token-invalid"
    TOKEN_WITH_COOKIE = "token-with-cookie"
    PASSWORD_CHANGED = "password-changed"
    USER_DISABLED = "user-disabled"
    USER_REMOVED = "user-removed"
    DUPLICATE_COOKIE = "duplicate-cookie"

    # what they may do
    NOT_ALLOWED = "not-allowed"
    ROLE = "role"
    SECOND_FACTOR_REQUIRED = "second-factor-required"
    TOKEN_SCOPE = "token-scope"

    # from where the browser says it comes
    CROSS_ORIGIN = "cross-origin"
    CROSS_SITE = "cross-site"
    ORIGIN_MISSING = "origin-missing"
    ORIGIN_NULL = "origin-null"
    NOT_A_DOCUMENT = "not-a-document"
    PREFLIGHT = "preflight"
    SERVICE_WORKER = "service-worker"

    # rules and what they cost
    PENALTY = "penalty"
    RULE = "rule"

    # where to
    FIXED = "fixed"
    REDIRECT = "redirect"
    NOT_FOUND = "not-found"
    NO_ROUTE = "no-route"
    NO_SERVER = "no-server"

    # the upstream
    ROUTE_CHANGED = "route-changed"
    UPSTREAM_BAD_RESPONSE = "upstream-bad-response"
    UPSTREAM_CERTIFICATE = "upstream-certificate"
    UPSTREAM_CHECKING = "upstream-checking"
    UPSTREAM_LOST = "upstream-lost"
    UPSTREAM_OPEN = "upstream-open"
    UPSTREAM_REFUSED = "upstream-refused"
    UPSTREAM_REJECTED_CREDENTIAL = "upstream-rejected-credential"
    UPSTREAM_TIMEOUT = "upstream-timeout"
    UPSTREAM_TOKEN_UNKNOWN = "upstream-token-unknown"
    UPSTREAM_TRUNCATED = "upstream-truncated"
    UPSTREAM_UID_MISMATCH = "upstream-uid-mismatch"
    SECRET_IN_RESPONSE = "secret-in-response"

    # websockets
    WEBSOCKET_FLOOD = "websocket-flood"
    WEBSOCKET_FRAGMENTS = "websocket-fragments"
    WEBSOCKET_FRAME = "websocket-frame"
    WEBSOCKET_SILENT = "websocket-silent"
    WEBSOCKET_TOO_BIG = "websocket-too-big"

    # the gateway itself
    AUDIT_UNAVAILABLE = "audit-unavailable"
    CLIENT_GONE = "client-gone"
    DRAINING = "draining"
    INTERNAL = "internal"
    KEEPER_UNAVAILABLE = "keeper-unavailable"
    STORE_UNAVAILABLE = "store-unavailable"
    KILLED = "killed"
    CRASHED = "crashed"
    ENDED = "ended"
    SLOW_REVOCATION = "slow-revocation"
    LINK_OVERFLOW = "link-overflow"
