"""`doctor`: whether a deployed stack is wired right, check by check.

for finding in examine(checks.ALL, patient):
    finding.state  # green, red or skipped

Each module holds the checks of one noun. A check writes nothing but what it removes again.
"""
