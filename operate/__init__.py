"""The operator's tools: commands on a deployed stack. Not deployed themselves."""
