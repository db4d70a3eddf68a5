"""The published claims about text in pre-training, tested on real speech with one budget for every system."""
