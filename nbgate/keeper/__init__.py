"""The one process that holds users, secrets and serial state; it never accepts a connection from the network."""
