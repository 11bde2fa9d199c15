"""From a job run as the API states it to the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.aws.spark_submit import JobRefusedError, Place, SparkJob, command, last_error, parse, settings_in_jvm


def driver(parameters: str = "", **more: Any) -> dict[str, Any]:
    return {"sparkSubmit": {"entryPoint": "s3://b/job.py", "sparkSubmitParameters": parameters, **more}}


WORK = Path("/work")
PLACE = Place(WORK / "submit", WORK / "jars", WORK, "http://e", "r", java_options=("-XX:+Quick",))


def words(job: SparkJob) -> list[str]:
    return command(job, PLACE)


def setting(job: SparkJob, key: str) -> str:
    return next(word.partition("=")[2] for word in words(job) if word.startswith(f"{key}="))


class TestParse:
    def test_options_are_taken_with_a_space_and_with_an_equals_sign(self) -> None:
        job = parse(driver("--conf spark.a=1 --py-files=s3://b/x.py,s3://b/y.py --class 'a.B'"), None)
        assert job.conf == {"spark.a": "1"}
        assert job.py_files == ("s3://b/x.py", "s3://b/y.py")
        assert job.main_class == "a.B"

    def test_submit_parameters_win_over_spark_defaults(self) -> None:
        defaults = {"classification": "spark-defaults", "properties": {"spark.a": "0", "spark.b": "2"}}
        job = parse(driver("--conf spark.a=1"), {"applicationConfiguration": [defaults]})
        assert job.conf == {"spark.a": "1", "spark.b": "2"}

    def test_python_files_may_be_named_by_configuration(self) -> None:
        assert parse(driver("--conf spark.submit.pyFiles=s3://b/x.py"), None).py_files == ("s3://b/x.py",)

    def test_driver_environment(self) -> None:
        job = parse(driver("--conf spark.emr-serverless.driverEnv.MODE=fast"), None)
        assert job.driver_environment == {"MODE": "fast"}

    @pytest.mark.parametrize("parameters", ["--master yarn", "--deploy-mode=cluster", "--conf"])
    def test_what_is_not_taken_is_refused_by_name(self, parameters: str) -> None:
        with pytest.raises(JobRefusedError, match=parameters.split()[0].split("=")[0]):
            parse(driver(parameters), None)

    def test_a_job_that_is_not_spark_is_refused(self) -> None:
        with pytest.raises(JobRefusedError, match="sparkSubmit"):
            parse({"hive": {}}, None)


class TestCommand:
    def test_a_job_cannot_choose_where_it_runs_nor_how_large(self) -> None:
        job = parse(
            driver("--conf spark.master=yarn --conf spark.driver.memory=64g --conf spark.executor.cores=4"), None
        )
        assert setting(job, "spark.master") == "local[2]"
        assert setting(job, "spark.driver.memory") == "1g"
        assert not any(word.startswith("spark.executor.cores") for word in words(job))

    def test_a_job_chooses_what_it_may(self) -> None:
        assert (
            setting(parse(driver("--conf spark.sql.shuffle.partitions=7"), None), "spark.sql.shuffle.partitions") == "7"
        )

    def test_a_jobs_own_java_options_come_after_ours(self) -> None:
        job = parse(driver("--conf spark.driver.extraJavaOptions=-Da=1"), None)
        options = setting(job, "spark.driver.extraJavaOptions").split()
        assert (options[0], options[-1]) == ("-XX:+Quick", "-Da=1")

    def test_credentials_are_not_on_the_command_line(self) -> None:
        provider = setting(parse(driver(), None), "spark.hadoop.fs.s3a.aws.credentials.provider")
        assert provider == "com.amazonaws.auth.EnvironmentVariableCredentialsProvider"

    def test_entry_point_and_arguments_come_last(self) -> None:
        job = parse(driver(entryPointArguments=["--date", "2024-01-01"]), None)
        assert words(job)[-3:] == ["s3://b/job.py", "--date", "2024-01-01"]


class TestInAJvmThatIsThere:
    ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "token", "MODE": "x"}

    @pytest.mark.parametrize(
        "parameters",
        [
            "--class a.B",
            "--jars s3://b/x.jar",
            "--files s3://b/x.txt",
            "--conf spark.driver.extraJavaOptions=-Da=1",
            "--conf spark.pyspark.driver.python=/usr/bin/python3",
            "--conf spark.jars.packages=a:b:1",
            "--conf spark.driver.userClassPathFirst=true",
        ],
    )
    def test_what_asks_for_something_of_its_jvm_gets_its_own(self, parameters: str) -> None:
        assert not parse(driver(parameters), None).is_plain

    def test_what_asks_for_sizes_settings_and_modules_does_not(self) -> None:
        parameters = "--conf spark.driver.memory=4g --conf spark.sql.ansi.enabled=true --py-files s3://b/x.py"
        assert parse(driver(parameters), None).is_plain

    def test_credentials_are_settings_as_the_jvm_has_none_and_workers_have_the_job_s_environment(self) -> None:
        conf = settings_in_jvm(parse(driver("--conf spark.a=1"), None), PLACE, self.ENVIRONMENT)
        s3a = "spark.hadoop.fs.s3a"
        assert [conf[f"{s3a}.{name}"] for name in ("access.key", "secret.key", "session.token")] == [
            "id",
            "key",
            "token",
        ]
        assert conf[f"{s3a}.aws.credentials.provider"].endswith("TemporaryAWSCredentialsProvider")
        assert (conf["spark.executorEnv.MODE"], conf["spark.a"], conf["spark.master"]) == ("x", "1", "local[2]")

    def test_it_is_named_after_its_file_unless_it_says_otherwise(self) -> None:
        named = settings_in_jvm(parse(driver("--conf spark.app.name=mine"), None), PLACE, self.ENVIRONMENT)
        assert named["spark.app.name"] == "mine"
        assert settings_in_jvm(parse(driver(), None), PLACE, self.ENVIRONMENT)["spark.app.name"] == "job.py"

    def test_its_modules_are_for_workers_too(self) -> None:
        conf = settings_in_jvm(SparkJob("job.py", py_files=("/a.py", "/b.zip")), PLACE, self.ENVIRONMENT)
        assert conf["spark.submit.pyFiles"] == conf["spark.files"] == "/a.py,/b.zip"


class TestLastError:
    def test_an_exception_of_python(self) -> None:
        stdout = 'Traceback (most recent call last):\n  File "job.py", line 1\nValueError: no such day\n'
        assert last_error(stdout, "24/01/01 WARN Foo: Error: x\n") == "ValueError: no such day"

    def test_an_exception_of_the_jvm_comes_with_its_text(self) -> None:
        python = "py4j.protocol.Py4JJavaError: An error occurred while calling o1.json."
        stdout = f"{python}\n: java.io.IOException: denied\n\tat x"
        assert last_error(stdout, "").endswith("o1.json.: java.io.IOException: denied")

    def test_a_job_that_its_crash_test_killed_says_so_whatever_came_before(self) -> None:
        stderr = "Error: x\ntestenv: killed at before-commit of batch 1\nError: y\n"
        assert last_error("ValueError: z", stderr).startswith("killed at before-commit of batch 1, as its crash test")

    def test_without_an_exception_the_last_line(self) -> None:
        assert last_error("", "one\ntwo\n") == "two"
        assert last_error("", "") == "the driver wrote nothing"
