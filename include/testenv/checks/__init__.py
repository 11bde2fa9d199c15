"""What a release must pass before it goes to production."""
