"""SpeechLM: speech and text in one space of phonemes or hidden units."""
