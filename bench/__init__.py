"""What headrace costs on this machine, beside the raw limit of the machine and a peer: `python -m bench`."""
