"""From a recording to its transcript.

config.py       the choices of a user, and what is usual for each method
encoding.py     recordings through the encoder, batch by batch
methods.py      encoded recordings to hypotheses, by the method chosen
transcript.py   what was recognised in a recording
recognizer.py   a model and its tokenizer as one thing that transcribes
sphinx.py       the recogniser that comes with PocketSphinx
"""
