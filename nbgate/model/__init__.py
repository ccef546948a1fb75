"""Shared nouns: what a session, a route, a client, an account is. No verbs."""
