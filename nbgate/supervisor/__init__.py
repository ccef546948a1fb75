"""Keep the wanted processes running: bind, start, link, respawn, drain.

This room never reads a byte from the network, holds no secret, and uses no event loop, TLS or thread.
"""
