"""Tapes: recorded, masked segments of topics, and their replay. docs/tapes.md has the form and its guarantees.

`capture` reads production, `form` is the tape as files, `stored` the tape in S3, `replay` fills an environment's topic,
`oracle` compares a topic with its tape.
"""
