"""Read the rules: data that says what is refused and what is left out.

Pure but for `tables.shipped_tables`, which reads the installed files. This room knows no session, route or principal,
and runs no code that a rule brings along.
"""
