"""Beam search over utterances and hypotheses at once.

roles.py        the small deciders: which tokens may follow, how hypotheses compare
ending.py       which hypotheses are finished, and when an utterance is done
fusion.py       how several scorers become one log-probability
groups.py       rows of one utterance beside each other
beam.py         the search itself
attention.py    the text decoder of a model as a scorer
log_sums.py     sums of probabilities that are kept as logarithms
ctc_prefix.py   CTC as a scorer: prefix probabilities of all hypotheses and tokens at once
joint.py        the search with a text decoder, CTC and language models together
"""
