"""What each reason is called on a page and in a JSON answer: a title and one sentence that says what to do.

Data, and what fits it to who reads it; `{own}` stands for the path of our own pages. Reasons that no page ever shows
share the general text.
"""

from nbgate.pipeline.times import when
from nbgate.reasons import Reason

_GENERAL = ("Refused", "The gateway refused this request.")

_TEXTS = {
    Reason.AUDIT_UNAVAILABLE: (
        "The audit cannot be written",
        "Nothing may happen here unrecorded, so the gateway refuses it until its disk can be written again.",
    ),
    Reason.BODY_TOO_LARGE: ("Too large", "The request is larger than the gateway accepts here."),
    Reason.CROSS_ORIGIN: (
        "Sent by another site",
        (
            "The request names another site as its origin. If you opened this page under an address of its own, "
            "use one address throughout."
        ),
    ),
    Reason.CROSS_SITE: ("Sent by another site", "Another site asked for this; open the address yourself."),
    Reason.DUPLICATE_COOKIE: (
        "Two cookies of one name",
        "The browser sent two session cookies, and nobody can tell which is yours. Delete this site's cookies.",
    ),
    Reason.DRAINING: ("Restarting", "The gateway is being restarted; try again in a moment."),
    Reason.FACTOR_CHANGED: ("Signed out", "Your second factor was changed, which ends every session; log in again."),
    Reason.INTERNAL: (
        "Something broke in the gateway",
        "The fault is ours, nothing was passed on. The error id leads to the log line.",
    ),
    Reason.KEEPER_UNAVAILABLE: (
        "One moment",
        "The part of the gateway that knows logins is starting again; your notebook server is untouched.",
    ),
    Reason.LOCKED_DOWN: (
        "Signing in is closed",
        "Whoever runs this gateway has ended all sessions and lets nobody sign in for now.",
    ),
    Reason.LOGGED_OUT: ("Signed out", "You have signed out; log in again."),
    Reason.LOGIN_BUSY: ("Too many logins at once", "Many passwords are being checked; try again in a few seconds."),
    Reason.LOGIN_FAILED: ("Not signed in", "User name, password or code is wrong."),
    Reason.LOGIN_REQUIRED: ("Log in first", "This needs a login."),
    Reason.LOGIN_THROTTLED: ("Too many attempts", "Too many logins failed; wait before you try again."),
    Reason.NETBLOCK_RATE: (
        "Too many requests",
        "Your address sent more requests without a login than the gateway takes; wait a moment, then try again.",
    ),
    Reason.NOT_ALLOWED: ("Not yours", "This notebook server is for other people, and you are not on its list."),
    Reason.NOT_A_DOCUMENT: ("Not for scripts", "This page is for people: open it in a tab of its own."),
    Reason.NOT_FOUND: ("Not found", "There is nothing at this address."),
    Reason.NO_ROUTE: ("Not found", "No notebook server is mounted at this address."),
    Reason.NO_SERVER: (
        "No notebook server is running",
        "Start one, for example: jupyter lab; the gateway finds it by itself, and this page reloads by itself.",
    ),
    Reason.ORIGIN_MISSING: (
        "Origin missing",
        "The request does not say which site it comes from; browsers do. Programs log in first and send JSON.",
    ),
    Reason.ORIGIN_NULL: ("Sent from a sandbox", "A sandboxed page may not change anything here."),
    Reason.OVERLOADED: ("Too busy", "The gateway is behind with its work; try again in a moment."),
    Reason.PASSWORD_CHANGED: ("Signed out", "Your password was changed, which ends your other sessions; log in again."),
    Reason.PENALTY: (
        "Refused for a while",
        (
            "Requests from this network looked like a scanner's, so nobody there is asked for a login just now. Try "
            "again in a few minutes; who is signed in is not affected."
        ),
    ),
    Reason.PREFLIGHT: (
        "Another site asks",
        "A script of another site asks whether it may send a request here: it may not, whatever the server would say.",
    ),
    Reason.ROLE: (
        "Not with your role",
        (
            "A viewer may read here, and run or change nothing; an auditor opens no notebooks at all. Your own page is "
            "{own}/account."
        ),
    ),
    Reason.ROLE_CHANGED: ("Signed out", "Your role was changed, which ends your sessions; log in again."),
    Reason.RULE: ("Closed here", "A rule of the gateway closes this address."),
    Reason.SECRET_IN_RESPONSE: (
        "Answer withheld",
        "The notebook server's answer held its own access token; the gateway did not pass it on.",
    ),
    Reason.SECOND_FACTOR_REQUIRED: (
        "A second factor is needed",
        (
            "Your role needs one to work with notebooks. Set it up at {own}/account/totp; if you have one, log out "
            "and log in with it."
        ),
    ),
    Reason.SERVICE_WORKER: (
        "No service worker here",
        "A service worker in this folder would rule other pages of this host, or show files without their sandbox.",
    ),
    Reason.SESSION_DISPLACED: ("Signed out", "You logged in elsewhere more often than is allowed; log in again."),
    Reason.SESSION_ENDED: ("Signed out", "Your session has ended; log in again."),
    Reason.SESSION_EXPIRED: ("Signed out", "Your session has reached its age limit; log in again."),
    Reason.SESSION_IDLE: ("Signed out", "Your session was idle for too long; log in again."),
    Reason.SESSION_RATE: ("Too many requests", "Your session sends requests faster than it may; wait a moment."),
    Reason.SESSION_REQUESTS: (
        "Too many requests at once",
        "Your session has as many requests under way as it may; wait until some of them are answered.",
    ),
    Reason.SESSION_REUSED: (
        "Signed out",
        (
            "A cookie of this session came back after it had been replaced, so somebody else may have it. Log in "
            "again, and change your password if you did not expect this."
        ),
    ),
    Reason.SESSION_REVOKED: ("Signed out", "Somebody who may do so ended your session; log in again."),
    Reason.SESSION_WEBSOCKETS: (
        "Too many open connections",
        "Your session has as many notebooks, consoles and terminals open as it may; close some of them.",
    ),
    Reason.TOKEN_INVALID: (
        "No such token",
        "The token is unknown, has expired or was revoked. Make another one on your account page.",
    ),
    Reason.TOKEN_SCOPE: ("Not with this token", "The token was made for less than this."),
    Reason.TOKEN_WITH_COOKIE: (
        "A token and a cookie",
        "The request shows a token and a session cookie, and nobody can tell for whom it is. Send one of them.",
    ),
    Reason.UPSTREAM_BAD_RESPONSE: (
        "The notebook server answered nonsense",
        "What it sent is not HTTP as the gateway accepts it, so nothing was passed on.",
    ),
    Reason.UPSTREAM_BUSY: (
        "The notebook server has enough to do",
        "As many requests as may wait for it are waiting already. This page reloads by itself.",
    ),
    Reason.UPSTREAM_CERTIFICATE: (
        "The notebook server did not prove who it is",
        (
            "Its certificate is not one that the gateway was told to believe, or it does not speak HTTPS, so nothing "
            "was sent there. Whoever runs the gateway names its authority or its pin."
        ),
    ),
    Reason.UPSTREAM_CHECKING: (
        "Looking for the notebook server",
        "The gateway is checking that the notebook server is there and guarded. This page reloads by itself.",
    ),
    Reason.UPSTREAM_LOST: (
        "The notebook server went away",
        "The connection broke before the answer began. This page reloads by itself.",
    ),
    Reason.UPSTREAM_OPEN: (
        "The notebook server is open to everybody on its machine",
        (
            "It asks for no token or password, so any local user could run code through it. Start it with a token, or "
            "allow it with the option below."
        ),
    ),
    Reason.UPSTREAM_REFUSED: (
        "The notebook server is not running",
        "Nothing listens at its address. Start it; this page reloads by itself.",
    ),
    Reason.UPSTREAM_REJECTED_CREDENTIAL: (
        "The notebook server rejected the gateway's credential",
        "It was probably restarted with another token or password; the gateway is looking again. Reload in a moment.",
    ),
    Reason.UPSTREAM_TIMEOUT: ("The notebook server does not answer", "It accepted the request but sent nothing."),
    Reason.UPSTREAM_TOKEN_UNKNOWN: (
        "The notebook server's token or password is not known",
        (
            "It asks for a token that the gateway could not find in its runtime files, or has a password of its own. "
            "`nbgate status` says which; give it with the option below."
        ),
    ),
    Reason.UPSTREAM_UID_MISMATCH: (
        "Somebody else listens at the notebook server's address",
        (
            "The socket that answers belongs to another user of the machine, so nothing was sent there. If that is "
            "meant, name the user with --upstream-user."
        ),
    ),
    Reason.USER_DISABLED: ("Signed out", "This account was disabled."),
    Reason.USER_REMOVED: ("Signed out", "This account was removed."),
    Reason.WORKER_FULL: ("Too busy", "The gateway cannot open more connections just now; try again in a moment."),
}


def explain(reason: Reason, own: str = "/_nbgate") -> tuple[str, str]:
    """Return (title, sentence) for `reason`; `own` is the path of our own pages."""
    title, text = _TEXTS.get(reason, _GENERAL)
    return title, text.replace("{own}", own)


def explain_to(reason: Reason, contact: str, own: str) -> str:
    """Return the sentence for `reason`, and whom to ask about it; `contact` is "" where there is nobody to name."""
    _, text = explain(reason, own)
    return f"{text} Ask {contact}." if contact else text


def explain_down(since_unix: float, now_unix: float) -> str:
    """Return the sentence for a notebook server that answers no more; "" where it never did (`since_unix` is 0)."""
    if not since_unix:
        return ""
    return f"It last answered {when(since_unix, now_unix)}. Start it; this page reloads by itself."
