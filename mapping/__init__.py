"""Vocabulary, definitions, scores and stages: pure, no input or output, no clock."""
