"""Checks of a release: what must hold between a change's base and its head before it is let through."""
