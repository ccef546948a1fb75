"""Passwords, tokens and sealing. Pure: keys, salts and random bytes are passed in; no answer is a bare bool."""
