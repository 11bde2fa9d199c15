"""The local Snowflake: a server of Snowflake's own protocol over DuckDB, by fakesnow, with what fakesnow lacks.

A statement comes in at ``app``, runs on a ``cursor`` of a ``session``, which hands control statements to
``control`` and all else, once ``privileges`` lets it pass, to fakesnow. ``engine`` holds the data, ``catalog`` and
``grants`` what the account knows. What differs from the real one is listed in ``docs/fidelity.md``.
"""
