"""List prices of us-east-1, in dollars, without free tiers (AWS pricing pages, 2026)."""

from __future__ import annotations

TRANSITION = 25e-6  # Step Functions Standard; a retry is one, too
LAMBDA_REQUEST = 0.2e-6
LAMBDA_GB_S = 1.33334e-5  # arm64
WRITE_UNIT = 0.625e-6  # DynamoDB on demand
READ_UNIT = 0.125e-6
S3_WRITE = 5e-6  # PUT, LIST
S3_READ = 0.4e-6
QUEUE_REQUEST = 0.40e-6
BUS_EVENT = 1e-6  # EventBridge, custom
SCHEDULE = 1e-6  # EventBridge Scheduler
API_REQUEST = 3.5e-6  # API Gateway, REST
LOG_BYTE = 0.50 / 1024**3  # CloudWatch Logs, taken in; keeping them costs less than a hundredth
