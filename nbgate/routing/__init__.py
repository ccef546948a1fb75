"""Find the route of a request and the target its upstream is asked for.

Pure, and only about (prefix, upstream): this room does not know who may use a route nor what stands behind it.
"""
