"""The web desk for operations people. It is told what it may do by `sync`, and never imports it."""
