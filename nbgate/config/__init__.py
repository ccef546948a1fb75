"""What can be configured, where each value came from, and everything that is wrong with it.

Pure: it is given texts and values; it reads no file, no environment and no clock.
"""
