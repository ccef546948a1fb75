"""Judge what an operator says of codes, second factors, cookies and how many logins may be tried.

Pure; it puts nothing into force. Each problem is a key, a text and a hint.
"""

from collections.abc import Iterator

from nbgate.config.schema import Config, Sessions, Throttle

_NOW = 0


def judge_login(config: Config) -> Iterator[tuple[str, str, str]]:
    """Say what is wrong with the options of the login."""
    if _NOW not in config.totp_window:
        yield (
            "totp_window",
            "the present code, 0, is not among those that are good",
            "for example [-1, 0], or [0] alone",
        )
    if len(set(config.totp_window)) < len(config.totp_window):
        yield "totp_window", "a code is named twice", "name each once: -1 is the one before the present one, which is 0"
    roles = config.require_second_factor
    if len(set(roles)) < len(roles) or ("all" in roles and len(roles) > 1):
        yield "require_second_factor", "a role is named twice", "name each once, or all alone"
    if not config.contact.isprintable():
        yield "contact", "it is not one line of text", 'write whom to ask, for example "ada@example.org"'
    yield from _judge_sessions(config.sessions)
    yield from _judge_throttle(config.throttle)


def _judge_sessions(sessions: Sessions) -> Iterator[tuple[str, str, str]]:
    rotate, grace = sessions.rotate_seconds, sessions.rotate_grace_seconds
    if rotate <= grace:
        name = "rotate_seconds" if rotate != Sessions().rotate_seconds else "rotate_grace_seconds"
        yield (
            f"sessions.{name}",
            "a cookie would be due to be replaced while the one before it is still good",
            f"rotate_seconds is {rotate}: it is to be more than rotate_grace_seconds, {grace}",
        )


def _judge_throttle(throttle: Throttle) -> Iterator[tuple[str, str, str]]:
    """Name the value of a pair that is not the default: the one that somebody wrote."""
    usual = Throttle()
    if throttle.network_burst < throttle.address_burst:
        name = "network_burst" if throttle.network_burst != usual.network_burst else "address_burst"
        yield (
            f"throttle.{name}",
            "one address could try more often than the whole network it is in",
            f"network_burst is {throttle.network_burst}: it is to be at least address_burst, {throttle.address_burst}",
        )
    if throttle.factor_device_seconds > throttle.factor_seconds:
        name = "factor_seconds" if throttle.factor_seconds != usual.factor_seconds else "factor_device_seconds"
        yield (
            f"throttle.{name}",
            "a browser that has logged in before would wait longer than one that has not",
            f"set factor_device_seconds to at most factor_seconds, which is {throttle.factor_seconds}",
        )
