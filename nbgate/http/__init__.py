"""Turn bytes of HTTP/1.1 into checked values, and refuse everything that two readers could read differently.

Pure: bytes in, values or one typed error out. This room opens no socket, reads no clock, knows no route, no session
and no upstream, and never repairs what it was sent.
"""
