"""Words and phones of recordings in time: what an aligner finds out about cuts, kept and attached to them."""
