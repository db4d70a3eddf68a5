"""CTC alone.

greedy.py       the best path through the frames, and how much of it is blank
beam.py         beam search over prefixes, all alignments of each together, with a language model
prefixes.py     one frame of it, as tensors
language.py     the state of an automaton for each prefix
sums.py         forward and backward sums over all alignments of a transcript
confidence.py   how sure CTC is of each token of a transcript
"""
