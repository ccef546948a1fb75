"""nbgate: a TLS gateway with login, rules and an audit trail in front of local notebook servers."""

__version__ = "0.1.0"
