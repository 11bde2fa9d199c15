"""How tasks reach the engine."""
