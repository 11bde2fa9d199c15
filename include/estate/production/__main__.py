"""`python -m estate.production fill [--scale N] [--seed S] [--home DIR]`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from estate.production.settings import Settings, SettingsError
from estate.production.world import build


def fill(seed: int, scale: float, home: Path) -> None:
    """Fill all four systems and print the rows of each."""
    settings = Settings.read(home / "production.env")
    os.environ.update(settings.trust)
    # Only now: the clients look for certificate authorities when they are imported.
    from estate.production.stores import kafka, postgres, s3, snowflake

    world = build(seed, scale)
    for store in (postgres, s3, kafka, snowflake):
        began = time.perf_counter()
        counts = store.fill(world, settings)
        system = store.__name__.rsplit(".", 1)[-1]
        held = ", ".join(f"{name} {count}" for name, count in counts.items())
        print(f"{system:10} {time.perf_counter() - began:5.1f} s  {held}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m estate.production", description="A made-up FinSight.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("fill", help="make Postgres, S3, Kafka and Snowflake hold it, whatever they held")
    command.add_argument("--scale", type=float, default=1, help="1 (default) is 2,000 customers, 20,000 payments")
    command.add_argument("--seed", type=int, default=1, help="another seed, another FinSight; default 1")
    command.add_argument("--home", type=Path, default=Path(".local"), help="folder of production.env; default .local")
    args = parser.parse_args()
    try:
        fill(args.seed, args.scale, args.home)
    except (SettingsError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
