"""IAM enforcement: every request must be signed by a known principal whose policies permit it.

`install` puts this in place of moto's check (moto.core.authorization), of which only the signature's verification is kept.
What each moto fault is stands in `policy`, `permissions` and `principals`. Presigned URLs are refused: moto cannot verify them.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlparse

from botocore.awsrequest import AWSRequest
from moto import settings as moto_settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import AccessDeniedError, JsonRESTError
from moto.iam.access_control import CreateAccessKeyFailure, IAMRequest, S3IAMRequest
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.s3.exceptions import BucketAccessDeniedError, S3AccessDeniedError

from local.aws import principals
from local.aws.permissions import Call, required
from local.aws.policy import Permission, trusts
from local.aws.settings import AccessKey

_JSON_SERVICES = frozenset({"ssm", "ecs", "emr-serverless"})
_UNSIGNED = "The request is not signed by an Authorization header; this stand-in does not verify presigned URLs."


class UnsignedError(AccessDeniedError):
    """No Authorization header (moto answers 500 with a KeyError)."""

    def __init__(self) -> None:
        super().__init__("anonymous", f"the request. {_UNSIGNED}")


class AccessDeniedException(JsonRESTError):
    """AccessDenied as the JSON protocols spell it (moto answers them in XML, which their clients cannot read)."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("AccessDeniedException", message)


class _Enforced(IAMRequest):
    """moto's signed request, its permission check replaced."""

    root: AccessKey  # set by install()

    def __init__(self, **arguments: Any) -> None:
        self.account_id = arguments["account_id"]
        self._method, self._path = arguments["method"], arguments["path"]
        self._data, self._body, self._headers = arguments["data"], arguments["body"], arguments["headers"]
        scope = self._get_string_between("Credential=", ",", self._headers["Authorization"]).split("/")
        self._region, self._service = scope[2], scope[3]
        operation = arguments["action"]
        self._operation = operation[0] if isinstance(operation, list) else operation
        self._action = f"{self._service}:{self._operation}"
        try:
            self._access_key = principals.find(self.root, self.account_id, scope[0], self._headers)  # type: ignore[assignment]
        except CreateAccessKeyFailure as failure:
            if self._service in _JSON_SERVICES:
                raise JsonRESTError("UnrecognizedClientException", "The security token is invalid.") from failure
            self._raise_invalid_access_key(failure.reason)
        except principals.ExpiredTokenError as expired:
            if self._service in _JSON_SERVICES:
                raise JsonRESTError("ExpiredTokenException", expired.message) from expired
            raise

    @property
    def principal(self) -> principals.Principal:
        return self._access_key  # type: ignore[return-value]

    def _create_aws_request(self) -> AWSRequest:
        """moto takes an empty JSON body for a form, and hashes the headers in its stead."""
        request = super()._create_aws_request()
        if self._service in _JSON_SERVICES:
            request.data = self._body or b""
        return request

    def _raise_signature_does_not_match(self) -> None:
        if self._service in _JSON_SERVICES:
            raise JsonRESTError("InvalidSignatureException", "The request signature does not match; check the secret key.")
        super()._raise_signature_does_not_match()

    def _calculate_signature(self) -> str:
        auth = self._create_auth(self.principal.credentials)
        request = self._create_aws_request()
        return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))

    def check_action_permitted(self, resource: str) -> None:
        if self._action == "sts:GetCallerIdentity":  # AWS lets everyone ask who they are
            return
        for need in required(self._call(resource)):
            if not self.principal.may(need) or not self._trusted(need):
                self._deny(need)

    def _call(self, resource: str) -> Call:
        url = urlparse(self._path)
        is_s3 = self._service == "s3"
        return Call(
            service=self._service,
            operation=self._operation,
            resource=resource,
            account=self.account_id,
            region=self._region,
            method=self._method,
            path=url.path,
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers=dict(self._headers),
            body=bytes(self._body or b"") if is_s3 else b"",
            parameters={} if is_s3 else self._parameters(),
        )

    def _parameters(self) -> dict[str, Any]:
        """What the request says: a JSON body, or the form of the query protocols."""
        if self._service in _JSON_SERVICES:
            document = json.loads(self._body or b"{}")
            return document if isinstance(document, dict) else {}
        return {key: value[0] if isinstance(value, list) else value for key, value in self._data.items()}

    def _trusted(self, need: Permission) -> bool:
        """AssumeRole also needs the role's own consent (moto gives a session of a role that does not exist)."""
        if need.action != "sts:AssumeRole":
            return True
        try:
            role = iam_backends[self.account_id]["aws"].get_role_by_arn(need.resource)
        except NotFoundException:
            return False
        known_as = frozenset({self.principal.arn, f"arn:aws:iam::{self.account_id}:root", self.account_id})
        context = {"sts:ExternalId": self._parameters().get("ExternalId", "")}
        return trusts(json.loads(role.assume_role_policy_document), known_as, Permission(need.action, "*", context))

    def _deny(self, need: Permission) -> None:
        what = f"{need.action} on resource: {need.resource}"
        if self._service in _JSON_SERVICES:
            raise AccessDeniedException(f"User: {self.principal.arn} is not authorized to perform: {what}")
        raise AccessDeniedError(user_arn=self.principal.arn, action=what)


class _EnforcedS3(_Enforced, S3IAMRequest):
    """The same in S3's error format."""

    _create_auth = S3IAMRequest._create_auth
    _raise_signature_does_not_match = S3IAMRequest._raise_signature_does_not_match
    _raise_invalid_access_key = S3IAMRequest._raise_invalid_access_key

    def _deny(self, need: Permission) -> None:
        if "BucketName" in self._data:
            raise BucketAccessDeniedError(bucket=self._data["BucketName"])
        raise S3AccessDeniedError


def install(root: AccessKey) -> None:
    """Enforce from the first request on; `root` may do everything."""
    moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    _Enforced.root = root
    original = ActionAuthenticatorMixin._authenticate_and_authorize_action

    def authorize(self: Any, iam_request_cls: type, resource: str = "*") -> None:
        is_s3 = issubclass(iam_request_cls, S3IAMRequest)
        if "Authorization" not in self.headers:
            raise S3AccessDeniedError if is_s3 else UnsignedError
        original(self, _EnforcedS3 if is_s3 else _Enforced, resource)

    ActionAuthenticatorMixin._authenticate_and_authorize_action = authorize  # type: ignore[method-assign]
