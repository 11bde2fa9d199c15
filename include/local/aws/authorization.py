"""IAM enforcement: every request must be signed by a known principal whose policies permit it.

`install` puts this in place of moto's check (moto.core.authorization). What each moto fault is stands in `policy`,
`permissions`, `principals` and `signature`. Presigned URLs are refused, and errors come in the protocol of the
service that was asked.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from moto import settings as moto_settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import JsonRESTError, _RESTError
from moto.iam.access_control import CreateAccessKeyFailure, S3IAMRequest
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.s3.exceptions import BucketAccessDeniedError, S3AccessDeniedError, S3ClientError

from local.aws import principals, signature
from local.aws.changes import NotKeptError, changed_by
from local.aws.permissions import Call, required
from local.aws.policy import Permission, trusts
from local.aws.settings import AccessKey

# Places in the WSGI environment: where the server keeps the raw body of a form, and finds what the request may change.
FORM_BODY = "local.aws.form_body"
CHANGES = "local.aws.changes"

_JSON_SERVICES = frozenset({"ssm", "ecs", "emr-serverless"})
_UNSIGNED = "The request has no Authorization header. This stand-in takes no presigned URLs; sign with AWS credentials."

# Code of S3 and the query protocols → code of the JSON protocols.
_JSON_CODES = {
    "AccessDenied": "AccessDeniedException",
    "ExpiredToken": "ExpiredTokenException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}


class _QueryError(_RESTError):
    code = 403


class _JsonError(JsonRESTError):
    code = 400


class _S3Error(S3ClientError):
    code = 403


def install(root: AccessKey, region: str) -> None:
    """Enforce from the first request on; `root` may do everything. What is in a region is in `region`."""
    moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = 0

    def authorize(self: Any, iam_request_cls: type, resource: str = "*") -> None:
        _Check(self, issubclass(iam_request_cls, S3IAMRequest), resource).run(root, region)

    ActionAuthenticatorMixin._authenticate_and_authorize_action = authorize  # type: ignore[method-assign]


class _Check:
    """The check of one request, given as moto's response object, which holds it."""

    def __init__(self, response: Any, is_s3: bool, resource: str) -> None:
        self._response, self._is_s3, self._resource = response, is_s3, resource
        self._environ = response.normalized_request.environ
        self._service = response.service_name
        self._account: str = response.current_account

    def run(self, root: AccessKey, region: str) -> None:
        """Raises the error that the client gets; returns if the request may proceed."""
        headers = self._response.headers
        if "Authorization" not in headers:
            self._refuse("AccessDenied", _UNSIGNED)
        try:
            given = signature.Authorization.parse(headers["Authorization"])
            principal = principals.find(root, self._account, given.key_id, headers)
        except ValueError as error:
            self._refuse("AccessDenied", str(error))
        except principals.ExpiredTokenError as error:
            self._refuse("ExpiredToken", error.message)
        except CreateAccessKeyFailure as failure:
            unknown = "InvalidAccessKeyId" if self._is_s3 else "InvalidClientTokenId"
            token = failure.reason == "InvalidToken" and self._is_s3
            self._refuse("InvalidToken" if token else unknown, "The access key or token of the request is not known.")
        secret = principal.credentials.secret_key
        if not signature.is_valid(self._request(), given, secret):
            self._refuse("SignatureDoesNotMatch", "The request signature does not match. Check the secret access key.")
        if self._operation == "GetCallerIdentity" and self._service == "sts":  # AWS lets everyone ask who they are
            return
        call = self._call(given.region)
        for need in required(call):
            if not principal.may(need) or not self._trusted(principal, need):
                self._deny(principal, need)
        try:
            self._environ[CHANGES] = changed_by(call, region)
        except NotKeptError as error:
            self._refuse("NotImplemented", str(error))

    @property
    def _operation(self) -> str:
        action = self._response._get_action()
        return str(action[0] if isinstance(action, list) else action)

    @property
    def _body(self) -> bytes:
        return bytes(self._environ.get(FORM_BODY) or self._response.raw_body or b"")

    def _request(self) -> signature.Request:
        response = self._response
        query = self._environ.get("QUERY_STRING", "")
        return signature.Request(response.method, response.raw_path, query, response.headers, self._body)

    def _call(self, region: str) -> Call:
        return Call(
            service=self._service,
            operation=self._operation,
            resource=self._resource,
            account=self._account,
            region=region,
            method=self._response.method,
            path=self._response.raw_path,
            query=dict(parse_qsl(self._environ.get("QUERY_STRING", ""), keep_blank_values=True)),
            headers=dict(self._response.headers),
            body=self._body if self._is_s3 and self._response.method == "POST" else b"",
            parameters={} if self._is_s3 else self._parameters(),
        )

    def _parameters(self) -> dict[str, Any]:
        """What the request says: a JSON body, or the form of the query protocols."""
        if self._service in _JSON_SERVICES:
            document = json.loads(self._body or b"{}")
            return document if isinstance(document, dict) else {}
        return dict(parse_qsl(self._body.decode(), keep_blank_values=True))

    def _trusted(self, principal: principals.Principal, need: Permission) -> bool:
        """AssumeRole also needs the role's own consent (moto gives a session of a role that does not exist)."""
        if need.action != "sts:AssumeRole":
            return True
        try:
            role = iam_backends[self._account]["aws"].get_role_by_arn(need.resource)
        except NotFoundException:
            return False
        known_as = frozenset({principal.arn, f"arn:aws:iam::{self._account}:root", self._account})
        context = {"sts:ExternalId": self._parameters().get("ExternalId", "")}
        return trusts(json.loads(role.assume_role_policy_document), known_as, Permission(need.action, "*", context))

    def _deny(self, principal: principals.Principal, need: Permission) -> NoReturn:
        if self._is_s3:  # moto catches these by class, to answer a batch delete key by key
            bucket = self._response.data.get("BucketName")
            raise BucketAccessDeniedError(bucket=bucket) if bucket else S3AccessDeniedError
        self._refuse(
            "AccessDenied",
            f"User: {principal.arn} is not authorized to perform: {need.action} on resource: {need.resource}",
        )

    def _refuse(self, code: str, message: str) -> NoReturn:
        if self._is_s3:
            raise _S3Error(code, message)
        if self._service in _JSON_SERVICES:
            raise _JsonError(_JSON_CODES.get(code, code), message)
        raise _QueryError(code, message)
