"""HuBERT (Hsu et al., 2021), and the speech encoders of its kin."""
