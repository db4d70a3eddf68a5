"""Model outputs to hypotheses: greedy CTC, and beam search over whatever scores the next token.

hypothesis.py        what decoding returns
ctc.py               the best path through CTC frames, and how much of it is blank
roles.py             the small deciders of a beam search: which tokens may follow, how hypotheses compare, when to stop
beam.py              the search itself, over utterances and hypotheses at once
attention.py         the text decoder of a model as a scorer, and the search with it alone
sequence.py          greedy writing with a model from tokens to tokens
viterbi.py           the likeliest path of every utterance through a graph of its own
phone_graphs.py      graphs of transcripts, and of labels with CTC blanks
phone_loop.py        the likeliest phones where there is no transcript
phonotactics.py      which phone follows which, counted on alignments
phone_model.py       an encoder that tells the phone of every frame
phone_tasks.py       cuts as such models take them: the stretches that are spoken, group by group
phone_aligner.py     transcripts laid over speech by it
phone_recognizer.py  phones decoded by it
pronouncing.py       phones of letters, for words that no lexicon holds
text_to_units.py     units of phones, line by line
"""
