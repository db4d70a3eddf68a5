"""Text to hidden units at once: the generator of SpeechLM-H (Zhang et al. 2022)."""
