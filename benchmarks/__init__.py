"""Speed against a peer, measured in one run: see `python -m benchmarks --help`."""
