"""Phones of speech by a model of ours, and phones of words that no lexicon holds.

model.py          an encoder that tells the phone of every frame
tasks.py          cuts as such models take them: the stretches that are spoken, group by group
graphs.py         graphs of transcripts, and of labels with CTC blanks
aligner.py        transcripts laid over speech
loop.py           the likeliest phones where there is no transcript
phonotactics.py   which phone follows which, counted on alignments
recognizer.py     phones decoded
pronouncing.py    phones of letters
"""
