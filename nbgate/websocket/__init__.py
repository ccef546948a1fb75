"""Know where websocket frames begin and end, read control frames, and build the few frames of our own.

Pure and passive: data frames pass byte for byte. This room opens no socket, answers nothing by itself, keeps no
message, and does not know what a session or an upstream is.
"""
