"""Rewrite what passes between client and upstream: heads, cookies, addresses and pages.

Pure. This room decides nothing: what is refused, routed or asked for a login was decided before it is called.
"""
