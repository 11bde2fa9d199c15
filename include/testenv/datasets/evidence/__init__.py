"""Evidence that a dataset version holds no production person, and is still like production.

`judge` is the entry point. Everything here runs inside the production boundary, and what it returns holds no value of
any person: columns, counts and row numbers alone.
"""
