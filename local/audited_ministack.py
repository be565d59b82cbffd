"""MiniStack itself, but for one thing: every decision of its IAM is appended to a file.

The file is named by IAM_AUDIT, one JSON object a line: {principal, action, resource, allowed}. That
is how the tests know what each role really did. Run as `python -m local.audited_ministack`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ministack import app
from ministack.core import iam_evaluator, responses


def main() -> None:
    """Run the emulator until SIGTERM."""
    decide = iam_evaluator.enforce
    audit = open(os.environ["IAM_AUDIT"], "a", buffering=1)  # noqa: SIM115 - for its whole life

    def enforce(access_key_id: str, iam_action: str, *rest: Any, **named: Any) -> Any:
        denied = decide(access_key_id, iam_action, *rest, **named)
        account = responses.get_account_id()
        principal = iam_evaluator.resolve_principal(access_key_id or "", account)
        arn = getattr(principal, "arn", "")
        if arn and not arn.endswith(":root"):
            line = {
                "principal": arn,
                "action": iam_action,
                "resource": named.get("resource_arn", "*"),
                "allowed": denied is None,
            }
            audit.write(json.dumps(line) + "\n")
        return denied

    iam_evaluator.enforce = enforce
    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main()
