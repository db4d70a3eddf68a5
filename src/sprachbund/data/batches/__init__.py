"""From the plan of a batch to its tensors: audio changed and cropped, text noised, masks drawn, rows padded."""
