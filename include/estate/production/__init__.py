"""A made-up FinSight: `python -m estate.production fill` puts it into Postgres, S3, Kafka and Snowflake.

    world.py ── build(seed, scale) ──▶ World: every row, file and record, a function of its two arguments
       people.py, tables.py, feeds.py     who lives there, the operational tables, what partners and cards send
    stores/ ── one module per system, each fill(world, settings): idempotent

No person, account or card in it exists. To add a table: its columns to `estate.tables`, its DDL to `schema/`, a
generator to `tables.py`.
"""
