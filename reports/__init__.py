"""The read side: what the store says, for people."""
