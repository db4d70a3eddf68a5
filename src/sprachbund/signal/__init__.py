"""Files to arrays: reading audio, and features of it."""
