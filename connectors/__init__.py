"""The world outside: each vendor behind one protocol."""
