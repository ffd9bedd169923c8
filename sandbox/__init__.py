"""Simulated vendors, apart from everything else: they know their wire formats and nothing of headrace."""
