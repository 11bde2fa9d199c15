"""The engine: decides what a test environment is made of, makes it, remembers it, and takes it away again."""
