"""N-gram language models: counted, smoothed, kept as tensors, and written as ARPA files."""
