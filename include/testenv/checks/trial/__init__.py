"""The trial of a release: its pipelines run in one environment by a plan, and what they leave recorded at moments.

docs/decisions/0008 says why. `plan` decides what runs, `moments` records and resets, `runner` does it within the
environment, `record` is what is left of it, `reading` opens what was recorded.
"""
