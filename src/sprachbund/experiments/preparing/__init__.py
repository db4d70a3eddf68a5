"""A corpus and text become a folder that SpeechLM or SpeechUT is pre-trained from."""
