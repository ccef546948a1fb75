"""What we know about the notebook servers: their paths and what these mean.

Pure knowledge; this room forwards nothing, and it allows or refuses nothing.
"""
