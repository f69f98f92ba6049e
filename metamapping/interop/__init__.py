"""One published folder, many doors: what Hugging Face, sentence-transformers and KerasHub read."""
