"""One logger and one metrics namespace for every room (Powertools; no tracer: it costs 40 MB)."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics

# The service is the stack's name (POWERTOOLS_SERVICE_NAME), so that two stacks in one account do
# not answer each other's alarms. Dashboards and alarms in template.yaml name the namespace.
logger = Logger(utc=True)
metrics = Metrics(namespace="AgoraRecording")
