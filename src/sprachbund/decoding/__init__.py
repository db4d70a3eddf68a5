"""Model outputs to hypotheses: greedy CTC, and beam search over whatever scores the next token.

hypothesis.py   what decoding returns
ctc.py          the best path through CTC frames, and how much of it is blank
roles.py        the small deciders of a beam search: which tokens may follow, how hypotheses compare, when to stop
beam.py         the search itself, over utterances and hypotheses at once
attention.py    the text decoder of a model as a scorer, and the search with it alone
sequence.py     greedy writing with a model from tokens to tokens
"""
