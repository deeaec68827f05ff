"""What an audit asks of the world, read-only: one module a question."""
