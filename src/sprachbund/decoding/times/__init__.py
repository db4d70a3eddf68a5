"""When words were said, and recordings of any length.

timestamps.py            times of tokens and words, and which tokens say which word
ctc_alignment.py         times by CTC
attention_alignment.py   times by where a text decoder looks
chunks.py                a long recording in windows, or cut at pauses
merging.py               two transcripts of an overlap made one
long_form.py             recordings of any length, chunk by chunk
"""
