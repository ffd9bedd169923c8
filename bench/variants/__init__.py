"""What is compared: one module each, see `bench.worker`."""
