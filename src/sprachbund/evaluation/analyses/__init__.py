"""What models of speech and units know: where speech and units of one phone meet, and how the models differ."""
