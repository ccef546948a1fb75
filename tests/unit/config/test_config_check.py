"""What is wrong with a value."""

import msgspec
import pytest

from nbgate.config.check import flatten, guess, judge_option, judge_whole, option_types
from nbgate.config.schema import Config

PORT = "port to listen on; 0 lets the system choose"
WORKERS = "worker processes, or auto for one per core"


def test_every_option_is_known_by_its_dotted_key():
    defaults = dict(flatten(msgspec.to_builtins(Config())))

    assert () == defaults.pop("route")
    assert list(defaults) == list(option_types())
    assert [] == [finding for key, value in defaults.items() if (finding := judge_option(key, value))]


@pytest.mark.parametrize(
    ("key", "value", "text", "hint"),
    [
        ("port", "8443", "'8443' is not an integer from 0 to 65535", "without quotes: port = 8443"),
        ("port", "x", "'x' is not an integer from 0 to 65535", PORT),
        ("port", 70000, "70000 is not an integer from 0 to 65535", PORT),
        ("port", True, "true is not an integer from 0 to 65535", PORT),
        ("port", 1.5, "1.5 is not an integer from 0 to 65535", PORT),
        ("port", [1], "this list is not an integer from 0 to 65535", PORT),
        ("port", {"a": 1}, "a table is not an integer from 0 to 65535", PORT),
        ("workers", "some", "'some' is not an integer from 1 to 256 or auto", WORKERS),
        ("workers", 0, "0 is not an integer from 1 to 256 or auto", WORKERS),
        ("log_level", "loud", "'loud' is not one of debug, info, warning, error", "least level of messages on stderr"),
        ("banner", "yes", "'yes' is not true or false", "without quotes: banner = true"),
        ("browser", 1, "1 is not auto or true or false", "open the browser at start; auto"),
        ("limits.headers", 1, "1 is not an integer of at least 8", "most header lines of a request"),
        ("limits.headers", "64", "'64' is not an integer of at least 8", "without quotes: headers = 64"),
        ("probe.retry_seconds", 0, "0 is not a number above 0", "time between two looks"),
        ("probe.retry_seconds", float("inf"), "inf is not a number above 0", "time between two looks"),
        ("probe.retry_seconds", float("nan"), "nan is not a number above 0", "time between two looks"),
        ("upstream", [1], "this list is not a list of strings", "notebook servers: host:port"),
        ("upstream", ["lab1=localhost:1"], "'lab1' does not say where", "did you mean /lab1/?"),
        ("base_url", "ipython", "'ipython' is not a base URL", "did you mean /ipython/?"),
        ("upstream_pin", "AB", "a pin has 64 hex digits, and this has 2 characters", "openssl x509"),
        ("routes", [], "unknown option", "did you mean 'route'?"),
        ("upstream", ["8888"], "an upstream needs a host and a port", "did you mean localhost:8888?"),
        ("ip", "127.0.01", "'127.0.01' is not an address", "did you mean 127.0.0.1?"),
        ("hosts", ["a.example", "*.b"], "'*.b' is not a name", "name each host by itself"),
        ("hosts", "a.example", "'a.example' is not a list of strings", 'in brackets: hosts = ["a.example"]'),
        ("trusted_proxies", ["10.0.0.1/8"], "'10.0.0.1/8' is not a network", "did you mean 10.0.0.0/8?"),
        ("ip", "x" * 99, f"'{'x' * 99}' is not an address", "write an IP address"),
        ("cert", 5, "5 is not a string", "pem file with the certificate chain"),
        ("limits", 4, "this is a table", "write [limits] and its options below it"),
        ("allow", ["/ada=ada"], "'/ada' is not a prefix", "did you mean /ada/?"),
        ("totp_window", [-1, 0, 3], "this list is not a list of integers from -2 to 1", "which totp codes are good"),
        (
            "require_second_factor",
            ["root"],
            "this list is not a list of all, owner, editor, viewer, auditor",
            "roles whose users",
        ),
        ("contact", "x" * 201, f"'{'x' * 60}...' is not a string of at most 200 characters", "whom people ask"),
        ("upstrem", "x", "unknown option", "did you mean 'upstream'?"),
        ("upstream-token-file", "x", "unknown option", "did you mean 'upstream_token_file'?"),
        ("idle_seconds", 1, "unknown option", "did you mean 'sessions.idle_seconds'?"),
        ("limit", {}, "unknown option", "did you mean 'limits'?"),
        ("limits.head_byte", 1, "unknown option", "did you mean 'limits.head_bytes'?"),
        ("xyzzy", 1, "unknown option", "nbgate config default lists all options"),
    ],
)
def test_what_is_wrong_with_a_value(key, value, text, hint):
    finding = judge_option(key, value)

    assert finding is not None
    assert (key, text) == (finding.key, finding.text)
    assert finding.hint.lower().startswith(hint.lower())


def test_a_long_value_is_shown_in_part():
    finding = judge_option("port", "x" * 500)

    assert finding is not None
    assert f"'{'x' * 60}...' is not an integer from 0 to 65535" == finding.text


def test_a_name_with_a_dot_in_it_is_no_option():
    ((key, value),) = flatten({"limits.head_bytes": 4096})

    assert ('"limits.head_bytes"', 4096) == (key, value)
    assert judge_option(key, value) is not None


@pytest.mark.parametrize(("word", "expected"), [("prot", "port"), ("head_bytes", "limits.head_bytes"), ("xyzzy", "")])
def test_what_was_probably_meant(word, expected):
    assert expected == guess(word)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"cert": "c"}, []),
        ({"cert": "c", "key": "k"}, []),
        ({"key": "k"}, [("key", "a key without a certificate")]),
        ({"http_port": 80}, []),
        ({"http_port": 0, "port": 0}, []),
        ({"http_port": 8443}, [("http_port", "8443 is the port for HTTPS too")]),
        ({"hsts": False}, []),
        ({"hsts": True, "cert": "c"}, []),
        ({"hsts": True}, [("hsts", "browsers would let nobody pass the warning")]),
        ({"totp_window": (-1,)}, [("totp_window", "the present code, 0, is not among those that are good")]),
        ({"upstream": ("/a/=example.org:1",)}, [("upstream", "'example.org' is not known to be this machine")]),
        ({"proxy_protocol": True, "trusted_proxies": ("10.0.0.0/8",)}, []),
        ({"proxy_protocol": True}, [("proxy_protocol", "it is not said whose PROXY headers are to be believed")]),
        (
            {"proxy_protocol": True, "hsts": True, "http_port": 8443, "key": "k"},
            [("key", ""), ("http_port", ""), ("hsts", ""), ("proxy_protocol", "")],
        ),
    ],
)
def test_values_that_do_not_go_together(values, expected):
    found = list(judge_whole(Config(**values)))
    assert [key for key, _ in expected] == [finding.key for finding in found]
    assert all(finding.text.startswith(text) for finding, (_, text) in zip(found, expected, strict=True))
    assert all(finding.hint for finding in found)
