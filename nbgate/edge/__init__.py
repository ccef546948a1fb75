"""The worker: sockets, TLS, HTTP and websockets in front, one link to the keeper behind.

Holds no secret but keys for TLS and cookies; reads no file and no store.
"""
