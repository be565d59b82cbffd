"""Makes a token for each session, if Agora's secret holds the project's App Certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from agora_recording.agora.client import AgoraKeys
from agora_recording.agora.token import JOIN, SALTS, build, is_hex32, rtc
from agora_recording.aws.secrets import SecretStore
from agora_recording.errors import SecretUnavailableError


class Minted(NamedTuple):
    """A token, which is a secret, and the instant (ms) at which it ends, which is none."""

    token: str
    until_ms: int


class Mint(msgspec.Struct, frozen=True, kw_only=True):
    """Makes tokens of the project `app_id`, valid for `valid_s` seconds.

    `randomness` returns an integer of at least 32 bits.
    """

    app_id: str
    secret_id: str
    valid_s: float
    secrets: SecretStore
    randomness: Callable[[], int]

    def token(self, cname: str, uid: str, now_ms: int) -> Minted | None:
        """Return a token for one uid in one channel; None if the secret has no certificate.

        Privilege and token end together: a recorder whose token has ended could not join again
        after a failover, although its privilege lasts (Agora docs: tokens). Raises
        SecretUnavailableError if the certificate or the App ID has a wrong form.
        """
        certificate = self.secrets.read(self.secret_id, AgoraKeys).app_certificate.strip()
        if not certificate:
            return None
        if not is_hex32(certificate):
            raise SecretUnavailableError(
                "appCertificate in Agora's secret is no App Certificate: copy its 32 hexadecimal "
                "digits from Agora's console, or leave it out if the project has none."
            )
        if not is_hex32(self.app_id):
            raise SecretUnavailableError(
                "A token cannot be made: the parameter AgoraAppId must be the project's 32 "
                "hexadecimal digits."
            )
        issued_s, valid_s = now_ms // 1000, max(1, round(self.valid_s))
        low, high = SALTS
        token = build(
            self.app_id,
            certificate,
            [rtc(cname, uid, {JOIN: valid_s})],
            issued_s=issued_s,
            expires_s=valid_s,
            salt=low + self.randomness() % (high - low + 1),
        )
        return Minted(token, (issued_s + valid_s) * 1000)
