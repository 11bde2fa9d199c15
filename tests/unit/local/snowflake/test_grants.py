"""The set of grants: inheritance, ownership, containers."""

from local.snowflake.grants import Grant, Grants

T = ("D", "S", "T")


def usage(role: str, of: str, kind: str = "ROLE") -> Grant:
    return Grant("USAGE", "ROLE", (role,), of, kind)


def test_roles_are_inherited_through_any_number_of_steps() -> None:
    grants = Grants([usage("B", "A"), usage("C", "B"), usage("A", "U", "USER"), usage("X", "U2", "USER")])
    assert grants.roles_of("A") == {"A", "B", "C", "PUBLIC"}
    assert grants.roles_of("U", "USER") == {"A", "B", "C", "PUBLIC"}
    assert grants.roles_of("C") == {"C", "PUBLIC"}


def test_user_and_role_of_one_name_are_apart() -> None:
    grants = Grants([usage("A", "SAME", "USER"), Grant("SELECT", "TABLE", T, "SAME")])
    assert "A" not in grants.roles_of("SAME")
    assert grants.roles_of("SAME", "USER") == {"A", "PUBLIC"}


def test_ownership_has_one_holder_and_implies_all() -> None:
    grants = Grants()
    grants.add(Grant("OWNERSHIP", "TABLE", T, "A"))
    grants.add(Grant("OWNERSHIP", "TABLE", T, "B"))
    assert grants.owner("TABLE", T) == "B"
    assert grants.allows(frozenset({"B"}), ("SELECT",), "TABLE", T)
    assert not grants.allows_any(frozenset({"A"}), "TABLE", T)


def test_tables_and_views_share_names() -> None:
    grants = Grants([Grant("OWNERSHIP", "VIEW", T, "A")])
    assert grants.kind_of(T) == "VIEW"
    assert grants.owner("TABLE", T) == "A"


def test_future_grants_of_the_schema_hide_the_databases() -> None:
    of_database = Grant("SELECT", "TABLE", ("D",), "R", future=True)
    of_schema = Grant("INSERT", "TABLE", ("D", "S"), "R", future=True)
    grants = Grants([of_database, of_schema])
    assert grants.future_for("TABLE", T) == [of_schema]
    assert grants.future_for("TABLE", ("D", "OTHER", "T")) == [of_database]
    assert grants.future_for("VIEW", T) == []
    assert not grants.allows(frozenset({"R"}), ("SELECT",), "DATABASE", ("D",))


def test_dropping_a_container_forgets_what_is_inside_and_nothing_else() -> None:
    kept = Grant("SELECT", "TABLE", ("D2", "S", "T"), "R")
    grants = Grants([Grant("SELECT", "TABLE", T, "R"), Grant("SELECT", "TABLE", ("D",), "R", future=True),
                     Grant("USAGE", "DATABASE", ("D",), "R"), kept,
                     Grant("USAGE", "WAREHOUSE", ("D",), "R")])  # fmt: skip
    grants.drop_object("DATABASE", ("D",))
    assert {(g.on_type, g.on_name) for g in grants.all()} == {("TABLE", ("D2", "S", "T")), ("WAREHOUSE", ("D",))}


def test_clone_copies_children_only() -> None:
    grants = Grants([Grant("USAGE", "DATABASE", ("D",), "R"), Grant("USAGE", "SCHEMA", ("D", "S"), "R"),
                     Grant("SELECT", "TABLE", T, "R"), Grant("SELECT", "TABLE", ("D",), "R", future=True),
                     Grant("SELECT", "TABLE", ("D", "S"), "R", future=True)])  # fmt: skip
    grants.copy_children(("D",), ("E",))
    copied = {(g.on_type, g.on_name, g.future) for g in grants.all() if g.on_name[0] == "E"}
    assert copied == {("SCHEMA", ("E", "S"), False), ("TABLE", ("E", "S", "T"), False), ("TABLE", ("E", "S"), True)}


def test_swap_and_rename_move_grants() -> None:
    u = ("D", "S", "U")
    grants = Grants([Grant("SELECT", "TABLE", T, "A"), Grant("SELECT", "TABLE", u, "B")])
    grants.swap(T, u)
    assert [g.grantee for g in grants.on("TABLE", T)] == ["B"]
    grants.rename("TABLE", T, ("D", "S", "V"))
    assert grants.on("TABLE", T) == []
    assert [g.grantee for g in grants.on("TABLE", ("D", "S", "V"))] == ["B"]


def test_role_dropped_is_nowhere() -> None:
    grants = Grants([usage("R", "U", "USER"), usage("R", "A"), Grant("SELECT", "TABLE", T, "R")])
    grants.drop_role("R")
    assert list(grants.all()) == []
    assert grants.roles_of("A") == {"A", "PUBLIC"}


def test_every_change_is_journalled_so_that_a_restart_finds_it() -> None:
    rows: list[Grant] = []

    def journal(added: list[Grant], removed: list[Grant]) -> None:
        for grant in removed:
            rows.remove(grant)
        rows.extend(added)

    grants = Grants(journal=journal)
    grants.add(Grant("OWNERSHIP", "TABLE", T, "A"), Grant("SELECT", "TABLE", T, "B"), usage("A", "U", "USER"))
    grants.add(Grant("OWNERSHIP", "TABLE", T, "B"), Grant("SELECT", "TABLE", T, "B"))
    grants.rename("TABLE", T, ("D", "S", "V"))
    assert set(Grants(rows).all()) == set(grants.all())
    assert len(rows) == 3
