"""Tools for tests, the bench and the demonstration: a stub upstream, a raw client, real programs that are ended by id.

Nothing of the gateway imports this room. It may use the whole gateway, but it never changes how the gateway behaves:
what runs under test is what runs anywhere.
"""
