"""Many random lives in one world of virtual time, held to a contract at every step."""
