"""Quality: what head's code left behind, against the quality rules of its contracts."""

from testenv.checks.quality.check import QualityCheck
from testenv.checks.quality.warehouse import Warehouse

__all__ = ["QualityCheck", "Warehouse"]
