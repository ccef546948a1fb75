"""What the keeper serves on its two private sockets: the own pages for workers, the control calls for operators.

Reads requests and picks answers; what happens is the keeper's. It checks no password, ends no session, keeps no state.
"""
