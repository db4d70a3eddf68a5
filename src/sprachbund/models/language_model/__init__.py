"""How likely each token comes next in a text: a Transformer that reads what was written before."""
