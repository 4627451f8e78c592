"""Everything that drives a real program: starting it, clients, backends, messages."""
