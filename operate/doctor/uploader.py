"""The keys that Agora uploads with: whose are they, and what may they do?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from agora_recording.agora.storage import TOKEN_LIFE_S, StorageKeys, session_policy
from agora_recording.aws.signing import Keys
from operate.doctor.check import Check, NotCheckedError, UnhealthyError
from operate.doctor.patient import PROBE, Patient
from operate.doctor.probe import prefix_of, remove
from operate.doctor.secrets import text_of

_PART = b"\0" * (5 * 1024 * 1024)  # the smallest part that S3 takes before the last one


def keys_of(patient: Patient) -> StorageKeys:
    """Return the uploader's keys, as functions read them."""
    try:
        return msgspec.json.decode(text_of(patient, patient.stack.storage_secret), type=StorageKeys)
    except msgspec.DecodeError:
        raise UnhealthyError("The storage secret has no accessKey and secretKey.") from None


def owner(patient: Patient) -> str:
    """Look whose keys they are."""
    keys = keys_of(patient)
    client = patient.client_as("sts", Keys(keys.access_key, keys.secret_key))
    try:
        arn: str = client.get_caller_identity()["Arn"]
    except ClientError as error:
        raise UnhealthyError(f"AWS does not know the key: {_code(error)}.") from error
    name = arn.rpartition("/")[2]
    user = patient.stack.resources.get("StorageUser")
    if patient.stack.parameters.get("StorageSecretArn"):
        return f"They are {name}'s, whom you made."
    if name != user:
        raise UnhealthyError(f"They are {name}'s, and should be {user}'s.")
    return f"They are {name}'s."


def upload(patient: Patient) -> str:
    """Upload as Agora does: an object, and a part of a large one, which is given up."""
    keys, bucket, prefix = keys_of(patient), patient.stack.bucket, prefix_of(patient, "upload")
    s3 = patient.client_as("s3", Keys(keys.access_key, keys.secret_key))
    name = f"{prefix}{PROBE}.txt"
    try:
        _may(
            lambda: s3.put_object(Bucket=bucket, Key=name, Body=b"probe", **_sse(patient)), "write"
        )
        started = _may(lambda: s3.create_multipart_upload(Bucket=bucket, Key=name), "begin a part")
        upload_id = started["UploadId"]
        given = {"Bucket": bucket, "Key": name, "UploadId": upload_id}
        _may(lambda: s3.upload_part(**given, PartNumber=1, Body=_PART), "upload a part")
        _may(lambda: s3.abort_multipart_upload(**given), "give up a multipart upload")
    finally:
        remove(patient, prefix)
    return "Objects and parts of objects can be written, and given up."


def no_more(patient: Patient) -> str:
    """Look whether the keys may do what they must not: read, and overwrite our own files."""
    keys, bucket, prefix = keys_of(patient), patient.stack.bucket, prefix_of(patient, "limits")
    s3 = patient.client_as("s3", Keys(keys.access_key, keys.secret_key))
    acts: dict[str, Callable[[], Any]] = {
        "write a manifest": lambda: s3.put_object(Bucket=bucket, Key=f"{prefix}manifest.json"),
        "write an event file": lambda: s3.put_object(Bucket=bucket, Key=f"{prefix}events/x.json"),
        "list the bucket": lambda: s3.list_objects_v2(Bucket=bucket, Prefix=prefix),
    }
    if patient.stack.parameters.get("PostponedTranscoding") != "true":
        # With rights, the answer is 404: the object is not there.
        acts["read files"] = lambda: s3.get_object(Bucket=bucket, Key=f"{prefix}nothing.ts")
    try:
        allowed = [what for what, act in acts.items() if _is_allowed(act)]
    finally:
        remove(patient, prefix)
    if allowed:
        raise UnhealthyError(f"They may {', '.join(allowed)}.")
    return "They may not read, and not overwrite what the stack writes."


def temporary(patient: Patient) -> str:
    """Make credentials for one recording, and write inside and outside its prefix."""
    if patient.stack.parameters.get("StorageCredentials") != "temporary":
        raise NotCheckedError("StorageCredentials is keys.")
    keys, bucket, prefix = keys_of(patient), patient.stack.bucket, prefix_of(patient, "temporary")
    sts = patient.client_as("sts", Keys(keys.access_key, keys.secret_key))
    kms = patient.stack.parameters.get("KmsKeyArn", "")
    policy = session_policy(patient.stack.partition, bucket, prefix, kms)
    given = _may(
        lambda: sts.get_federation_token(
            Name="agora-uploader", DurationSeconds=TOKEN_LIFE_S, Policy=policy
        ),
        "make temporary credentials",
    )["Credentials"]
    limited = Keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    s3 = patient.client_as("s3", limited)
    other = f"{prefix.rstrip('/')}X/"
    try:
        _may(lambda: s3.put_object(Bucket=bucket, Key=f"{prefix}{PROBE}.txt"), "write with them")
        if _is_allowed(lambda: s3.put_object(Bucket=bucket, Key=f"{other}{PROBE}.txt")):
            raise UnhealthyError("They can write outside their recording's prefix.")
    finally:
        remove(patient, prefix)
        remove(patient, other)
    return "They last twelve hours, and write below their recording's prefix alone."


def _sse(patient: Patient) -> dict[str, str]:
    """Return what Agora asks S3 for (parameter StorageSse)."""
    kind = {"aes256": "AES256", "kms": "aws:kms"}.get(
        patient.stack.parameters.get("StorageSse", "")
    )
    return {"ServerSideEncryption": kind} if kind else {}


def _may(act: Callable[[], Any], what: str) -> Any:
    try:
        return act()
    except ClientError as error:
        raise UnhealthyError(f"They cannot {what}: {_code(error)}.") from error


def _is_allowed(act: Callable[[], Any]) -> bool:
    try:
        act()
    except ClientError as error:
        return _code(error) not in ("AccessDenied", "403", "Forbidden")
    return True


def _code(error: ClientError) -> str:
    code: str = error.response.get("Error", {}).get("Code", "?")
    return code


CHECKS = (
    Check(
        "uploader",
        "a storage secret that is empty, or holds somebody else's keys",
        "Let the stack's user have a new key, and store it in the storage secret "
        "(docs/rotate.md); with StorageSecretArn, fill in your secret.",
        owner,
    ),
    Check(
        "upload",
        "a bucket policy, an encryption or a boundary that keeps Agora from writing",
        "Let the uploader write below recordings/ (docs/deploy.md, In a company's account).",
        upload,
        needs=("uploader",),
    ),
    Check(
        "uploader's limits",
        "keys that may read recordings or overwrite manifests",
        "Take these rights away from the uploader (docs/security.md).",
        no_more,
        needs=("uploader",),
    ),
    Check(
        "temporary keys",
        "credentials that cannot be made, or reach beyond one recording",
        "Let the uploader call sts:GetFederationToken (docs/deploy.md).",
        temporary,
        needs=("uploader",),
    ),
)
