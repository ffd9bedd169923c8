"""The shell: command line, daemon, pipeline, configuration."""
