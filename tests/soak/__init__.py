"""A gateway for many minutes: under steady load, mixed load, attack, changes of its certificate, reloads.

`make soak`, or from the top folder `PYTHONPATH=tests python -m soak`; a small version of it runs with the tests. What
has to hold: bounds.py.
"""
