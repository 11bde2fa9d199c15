"""Avro: whether records of one schema can be read with another, by the specification's rules of schema resolution."""
