"""SpeechUT: hidden units between a speech encoder and a text decoder."""
