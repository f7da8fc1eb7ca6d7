"""What drives the running binary: a server, its clients, and jobs to give it."""
