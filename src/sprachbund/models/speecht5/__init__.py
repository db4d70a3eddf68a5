"""SpeechT5 (Ao et al., ACL 2022)."""
