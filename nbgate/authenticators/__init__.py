"""Each turns a credential into a principal. None makes a session, answers a request or says what was wrong."""
