"""Language models and lexicons over the recogniser's tokens.

automata.py            models whose state is a few integers, and such a model as a scorer
token_ngram.py         n-grams of tokens
word_ngram.py          n-grams of words, scored when a word ends, with look-ahead
lexicon.py             how words are spelled, as a tree
ngrams.py              which of the two an n-gram model is
weighted_automata.py   several automata as one
symbol_map.py          the same symbols under other ids
neural.py              a Transformer as a scorer
models.py              whatever a path names, ready for a search
"""
