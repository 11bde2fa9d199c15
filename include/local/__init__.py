"""The embedded stack: every service testenv needs, on one machine, under one supervisor.

`python -m local up` starts it, `python -m local down` stops it; see `docs/architecture.md`.
"""
