"""What the server is told when it starts, read from one JSON file of mode 0600."""

import json
import stat
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """The first user of the account, and the credentials of its storage integrations.

    Attributes:
        admin_user: user that holds ACCOUNTADMIN, created when the account has none of that name.
        admin_public_key: its RSA public key, base64 of the DER (SubjectPublicKeyInfo).
        s3_endpoint: URL of S3, or empty for AWS.
        aws_access_key_id, aws_secret_access_key, region: what storage integrations read S3 with.
    """

    admin_user: str
    admin_public_key: str
    s3_endpoint: str
    aws_access_key_id: str
    aws_secret_access_key: str
    region: str

    @classmethod
    def read(cls, path: Path) -> "Settings":
        """Read the settings file.

        Raises:
            SystemExit: if others may read the file, or it lacks a setting or has an unknown one.
        """
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SystemExit(f"{path} holds secrets and others may read it: chmod 600 {path}")
        given = json.loads(path.read_text())
        expected = {field.name for field in fields(cls)}
        if given.keys() != expected:
            raise SystemExit(f"{path} must hold exactly {sorted(expected)}, got {sorted(given)}")
        return cls(**given)
