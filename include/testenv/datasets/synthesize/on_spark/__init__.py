"""Apart from the other modules: a script's folder comes first on Python's path, where `profile` is one of its own."""
