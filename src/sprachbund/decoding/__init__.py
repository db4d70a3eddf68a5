"""Model outputs to hypotheses, and recordings to transcripts.

hypothesis.py        what decoding returns
search/              beam search over utterances and hypotheses at once, under whatever scores the next token
ctc/                 CTC alone: the best path, all alignments of a prefix, how sure it is of a token
language/            language models and lexicons over the recogniser's tokens
times/               when words were said; recordings of any length
recognition/         the choices of a user, and from a recording to its transcript
phones/              phones of speech by a model of ours, and of words that no lexicon holds
viterbi.py           the likeliest path of every utterance through a graph of its own
sequence.py          greedy writing with a model from tokens to tokens
text_to_units.py     units of phones, line by line
"""
