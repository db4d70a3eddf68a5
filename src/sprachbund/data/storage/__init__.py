"""What lies on disk: manifests, Shar and its archives, recordings and their copies."""
