"""Ways of learning: each takes batches and returns a `Loss` of named terms."""
