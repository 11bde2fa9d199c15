"""`python -m local.demo`: the whole way, from a machine with nothing running to two environments, and back to none."""
