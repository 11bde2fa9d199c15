"""Rows of nobody: profiles of production's tables, and tables generated from them. docs/synthesis.md."""
