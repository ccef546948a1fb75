"""Start, watch and end the notebook servers that nbgate itself starts.

Knows processes, their output and their private folder; not HTTP, not users, and not the gateway.
"""
