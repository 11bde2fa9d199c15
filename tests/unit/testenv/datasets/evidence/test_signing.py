"""An evidence file says what was signed, or nothing."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.unit.testenv.datasets.evidence.conftest import Bank

from testenv.core.errors import Denied, Invalid
from testenv.datasets.evidence.signing import sign, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def test_what_was_signed_is_read_back(bank: Bank) -> None:
    evidence = bank.judged()
    assert verify(sign(evidence, KEY), PUBLIC) == evidence


def test_the_same_evidence_gives_the_same_bytes(bank: Bank) -> None:
    evidence = bank.judged()
    assert sign(evidence, KEY) == sign(evidence.model_copy(), KEY)


def test_a_changed_verdict_and_a_foreign_key_are_denied(bank: Bank) -> None:
    file = sign(bank.judged(), KEY)
    content = json.loads(file)
    content["evidence"]["verdict"] = not content["evidence"]["verdict"]
    with pytest.raises(Denied, match="does not hold"):
        verify(json.dumps(content).encode(), PUBLIC)
    other = Ed25519PrivateKey.generate()
    with pytest.raises(Denied, match="does not hold"):
        verify(sign(bank.judged(), other), PUBLIC)


@pytest.mark.parametrize("file", [b"", b"{}", b"[]", b'{"evidence": {}, "signature": "?"}'])
def test_what_is_no_evidence_file_is_said_to_be_none(file: bytes) -> None:
    with pytest.raises((Invalid, Denied), match="evidence: "):
        verify(file, PUBLIC)
