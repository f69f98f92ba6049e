"""Integrations: one published folder that Hugging Face, sentence-transformers and KerasHub all read."""
