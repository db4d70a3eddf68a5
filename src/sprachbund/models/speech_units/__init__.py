"""What SpeechLM and SpeechUT share: a speech Transformer, and a Transformer that reads its states and units alike."""
