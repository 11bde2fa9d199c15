"""One engine call each, then return or defer."""
