"""docker-compose.yaml and Dockerfile agree with the steps, settings.toml, the Makefile and the lock files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.parts import STEPS, Part, Step
from local.parts.postgres import WHEEL_VERSION
from local.settings import Settings

REPO = Path(__file__).resolve().parents[3]
SETTINGS = Settings.load()
DOCKERFILE = (REPO / "Dockerfile").read_text()
MAKEFILE = (REPO / "Makefile").read_text()


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((REPO / "docker-compose.yaml").read_text()))


def locked(package: str, file: str) -> str:
    match = re.search(rf"^{package}==(\S+)", (REPO / file).read_text(), re.MULTILINE)
    assert match, f"{package} is not in {file}"
    return match.group(1)


class TestServices:
    def test_there_is_one_for_each_step(self) -> None:
        assert list(compose()["services"]) == [step.name for step in STEPS]

    @pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
    def test_it_runs_its_step(self, step: type[Step]) -> None:
        kind = "part" if issubclass(step, Part) else "job"
        service = compose()["services"][step.name]
        assert service["command"] == [kind, step.name]
        assert service["restart"] == ("unless-stopped" if kind == "part" else "no")

    @pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
    def test_it_waits_for_the_steps_it_comes_after(self, step: type[Step]) -> None:
        parts = {other.name for other in STEPS if issubclass(other, Part)}
        expected = {
            name: {"condition": "service_healthy" if name in parts else "service_completed_successfully"}
            for name in step.after
        }
        assert compose()["services"][step.name].get("depends_on", {}) == expected

    @pytest.mark.parametrize("part", [step for step in STEPS if issubclass(step, Part)], ids=lambda part: part.name)
    def test_its_health_is_its_parts_readiness_within_the_same_deadline(self, part: type[Part]) -> None:
        check = compose()["services"][part.name]["healthcheck"]
        assert check["test"][-3:] == ["local.container", "probe", part.name]
        assert check["start_period"] == f"{SETTINGS.deadlines[part.name]}s"

    def test_all_are_on_the_loopback_ports_of_the_settings(self) -> None:
        """No service publishes a port or sets one: all share the host's network, and settings.toml is in the image."""
        for service in compose()["services"].values():
            assert service["network_mode"] == "host"
            assert "ports" not in service
            assert "environment" not in service
            assert service["build"]["target"] == "stack"


class TestSettings:
    def test_every_port_belongs_to_one_part(self) -> None:
        owned = [name for step in STEPS if issubclass(step, Part) for name in step.port_names]
        assert sorted(owned) == sorted(SETTINGS.ports)
        assert len(set(SETTINGS.ports.values())) == len(SETTINGS.ports)

    def test_every_part_has_a_deadline(self) -> None:
        assert set(SETTINGS.deadlines) == {step.name for step in STEPS if issubclass(step, Part)}

    def test_steps_stand_after_those_they_come_after(self) -> None:
        seen: set[str] = set()
        for step in STEPS:
            assert set(step.after) <= seen, f"{step.name} stands before what it comes after"
            seen.add(step.name)


class TestVersions:
    def test_python_is_that_of_the_makefile(self) -> None:
        assert re.findall(r"FROM python:([\d.]+)-", DOCKERFILE) == re.findall(r"venv -q --python ([\d.]+)", MAKEFILE)

    def test_uv_is_that_of_the_makefile(self) -> None:
        assert re.findall(r"UV_VERSION=([\d.]+)", DOCKERFILE) == re.findall(r"UV_VERSION := ([\d.]+)", MAKEFILE)

    def test_java_is_the_oldest_that_serves(self) -> None:
        assert re.findall(r"openjdk-(\d+)-jdk-headless", DOCKERFILE) == [str(SETTINGS.versions["java"])]

    def test_kafka_is_that_of_the_pom(self) -> None:
        pom = (REPO / "include/local/kafka/pom.xml").read_text()
        assert f"<version>{SETTINGS.versions['kafka']}</version>" in pom

    def test_airflow_is_that_of_the_locked_requirements(self) -> None:
        assert SETTINGS.versions["airflow"] == locked("apache-airflow", "requirements.txt")
        assert SETTINGS.versions["airflow"] == locked("apache-airflow", "requirements/dev.txt")

    def test_postgres_is_that_of_the_wheel(self) -> None:
        assert SETTINGS.versions["postgres"] == WHEEL_VERSION

    def test_every_image_of_an_environment_is_made_from_its_lock_file(self) -> None:
        pairs = re.findall(r"--python \.venv/(\w+)/bin/python (\S+)", DOCKERFILE)
        assert dict(pairs) == {
            "airflow": "requirements.txt",
            "dbt": "requirements/dbt.txt",
            "spark": "requirements/spark.txt",
            "local": "requirements/local.txt",
        }

    def test_development_tools_leave_what_airflow_runs_on_as_it_is(self) -> None:
        """The Makefile installs dev.txt where the image installs requirements.txt, all of which it holds."""
        pinned = re.findall(r"^(\S+==\S+)", (REPO / "requirements.txt").read_text(), re.MULTILINE)
        assert set(pinned) <= set(re.findall(r"^(\S+==\S+)", (REPO / "requirements/dev.txt").read_text(), re.MULTILINE))
