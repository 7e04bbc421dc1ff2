"""Pretrained models: the only room that knows transformers."""
