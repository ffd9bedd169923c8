"""The steps by which a store reaches the schema of this release: one module each, numbered, unchanged once shipped."""

HEAD = "0001"
"""The schema that this release reads and writes; a test holds it to be the last step."""
