"""Waveforms and features made harder: pure functions, whose chances come from a generator that the caller gives."""
