"""Lines of text and of ids: where they come from, how they are transformed, and the folders they are stored in."""
