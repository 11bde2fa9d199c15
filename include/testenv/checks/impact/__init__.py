"""Which pipelines a change of the repository under test affects, and why: `docs/impact.md`."""

from testenv.checks.impact.layout import Layout, read_layout
from testenv.checks.impact.select import Excluded, Selected, Selection, select
from testenv.checks.impact.trees import Tree, tree_at, write

__all__ = ["Excluded", "Layout", "Selected", "Selection", "Tree", "read_layout", "select", "tree_at", "write"]
