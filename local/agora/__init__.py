"""A simulator of Agora Cloud Recording: a real HTTP server, real webhooks, real files.

`python -m local.agora --help` runs it alone; tests run it in their own process:

    with AgoraSimulator(speed=200, webhook_url=url) as agora:
        requests.post(f"{agora.url}/v1/apps/{agora.options.app_id}/cloud_recording/acquire", ...)
"""

from __future__ import annotations

from .options import Options
from .server import AgoraSimulator

__all__ = ["AgoraSimulator", "Options"]
