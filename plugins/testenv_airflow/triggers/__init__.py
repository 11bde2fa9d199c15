"""What waits without a worker. They carry ids and build what they need."""
