"""Sessions as the workers know them: who is live, who is over, and for how long. Pure; stores are elsewhere."""
