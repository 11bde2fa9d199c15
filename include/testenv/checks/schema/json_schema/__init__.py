"""JSON Schema: whether every document of one schema is a document of the other, for the keywords that we decide."""
