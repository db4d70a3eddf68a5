"""A first look over manifests and texts before anything is trained on them: problems are counted and told by kind."""
