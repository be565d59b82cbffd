"""One logger and one metrics namespace for every room (Powertools; no tracer: it costs 40 MB)."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics

# The service name and namespace are fixed: dashboards and alarms in template.yaml name them.
logger = Logger(service="agora-recording", utc=True)
metrics = Metrics(namespace="AgoraRecording", service="agora-recording")
