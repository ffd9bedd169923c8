"""Identity, plan and guard: pure, no input or output, no clock."""
