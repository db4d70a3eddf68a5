"""Records to typed batches: corpora, manifests, streams, masks, collation, mixture."""
