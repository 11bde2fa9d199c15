"""From an EMR Serverless job run to the `spark-submit` command that does the same on this machine. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_DRIVER_ENVIRONMENT = "spark.emr-serverless.driverEnv."
_LISTS = {"--py-files": "py_files", "--jars": "jars", "--files": "files"}
_OF_THE_JVM = ("spark.driver.", "spark.jars", "spark.files", "spark.archives", "spark.pyspark.", "spark.submit.")

# Sizes of EMR's machines mean nothing here, and where Spark runs is this machine's business.
_IGNORED = (
    "spark.driver.memory",
    "spark.driver.cores",
    "spark.executor.",
    "spark.dynamicAllocation.",
    "spark.emr-serverless.",
)

# What EMR gives every job, small: the data of a test is small, and the machine is shared.
_DEFAULTS = {
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.session.timeZone": "UTC",
}
_FORCED = {
    "spark.master": "local[2]",
    "spark.submit.deployMode": "client",
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # S3 has no FileContext in S3A under the scheme s3, so checkpoints go through FileSystem, as they do in this class,
    # which ends the JVM where a crash test has asked for it (docs/streams.md).
    "spark.sql.streaming.checkpointFileManagerClass": "testenv.spark.KillingCheckpointFileManager",
}


class JobRefusedError(ValueError):
    """The job run asks for what EMR Serverless, or this stand-in, does not do."""


@dataclass(frozen=True)
class SparkJob:
    """A job run as it was asked for. Files are as stated: `s3://…` or local paths."""

    entry_point: str
    arguments: tuple[str, ...] = ()
    main_class: str | None = None
    py_files: tuple[str, ...] = ()
    jars: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    conf: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def driver_environment(self) -> dict[str, str]:
        """Variables set by `spark.emr-serverless.driverEnv.NAME`."""
        return {
            key.removeprefix(_DRIVER_ENVIRONMENT): value
            for key, value in self.conf.items()
            if key.startswith(_DRIVER_ENVIRONMENT)
        }

    @property
    def is_plain(self) -> bool:
        """Whether it asks nothing of its JVM, so that it can run in one that is there already."""
        special = self.main_class or self.jars or self.files or not self.entry_point.endswith(".py")
        asked = (key for key in self.conf if not key.startswith(_IGNORED))
        return not special and not any(key.startswith(_OF_THE_JVM) for key in asked)


def parse(job_driver: Mapping[str, Any] | None, overrides: Mapping[str, Any] | None) -> SparkJob:
    """Read the API's `jobDriver` and `configurationOverrides`. Raises JobRefusedError."""
    submit = (job_driver or {}).get("sparkSubmit")
    if not submit:
        raise JobRefusedError(f"jobDriver must hold sparkSubmit, got {sorted(job_driver or {})}")
    conf: dict[str, str] = {}
    for configuration in (overrides or {}).get("applicationConfiguration", []):
        if configuration["classification"] == "spark-defaults":
            conf.update(configuration.get("properties", {}))
    main_class, lists = None, dict.fromkeys(_LISTS.values(), ())
    words = iter(shlex.split(submit.get("sparkSubmitParameters") or ""))
    for word in words:
        option, _, value = (
            word.partition("=") if word.startswith("--") and "=" in word else (word, "", next(words, None))
        )
        if value is None:
            raise JobRefusedError(f"sparkSubmitParameters: {option} has no value")
        if option in ("--conf", "-c"):
            key, _, setting = value.partition("=")
            conf[key] = setting
        elif option == "--class":
            main_class = value
        elif option in _LISTS:
            lists[_LISTS[option]] = tuple(value.split(","))
        else:
            known = ", ".join(["--conf", "--class", *_LISTS])
            raise JobRefusedError(f"sparkSubmitParameters: {option} is not taken here; use {known}")
    for key, name in (("spark.submit.pyFiles", "py_files"), ("spark.jars", "jars"), ("spark.files", "files")):
        if key in conf:
            lists[name] += tuple(conf.pop(key).split(","))
    return SparkJob(
        submit["entryPoint"], tuple(submit.get("entryPointArguments") or ()), main_class, conf=conf, **lists
    )


def s3a(endpoint: str, region: str) -> dict[str, str]:
    """Configuration that sends `s3://` and `s3a://` to `endpoint`, signed with the driver's environment variables."""
    return {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.endpoint.region": region,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
        # Deleting the markers of parent folders would reach beyond the prefix that the role may write.
        "spark.hadoop.fs.s3a.directory.marker.retention": "keep",
        "spark.hadoop.fs.s3a.fast.upload.buffer": "bytebuffer",
        "spark.hadoop.fs.s3a.attempts.maximum": "2",
        "spark.hadoop.fs.s3a.retry.limit": "2",
    }


@dataclass(frozen=True)
class Place:
    """Where a job runs. `folder` takes what Spark writes to disk; `java_options` are for the driver's JVM."""

    spark_submit: Path
    jars: Path
    folder: Path
    endpoint: str
    region: str
    java_options: tuple[str, ...] = ()


def settings(job: SparkJob, place: Place) -> dict[str, str]:
    """Spark's settings for `job`: its own, as far as they are its business."""
    folder = place.folder
    asked = {key: value for key, value in job.conf.items() if not key.startswith(_IGNORED)}
    return {
        **_DEFAULTS,
        **asked,
        **_FORCED,
        **s3a(place.endpoint, place.region),
        "spark.driver.extraClassPath": f"{place.jars}/*",
        "spark.driver.extraJavaOptions": " ".join(
            filter(
                None,
                [
                    *place.java_options,
                    f"-Dlog4j2.configurationFile={log_configuration(folder)}",
                    asked.get("spark.driver.extraJavaOptions"),
                ],
            )
        ),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.hadoop.hadoop.tmp.dir": str(folder / "hadoop"),
    }


def settings_in_jvm(job: SparkJob, place: Place, environment: Mapping[str, str]) -> dict[str, str]:
    """Settings for a `job` that is plain, in a JVM that is there: its environment, with the credentials, is not the
    job's, so that what would stand in `environment` has to be told.
    """
    files = ",".join(job.py_files)
    return {
        "spark.app.name": Path(job.entry_point).name,  # as spark-submit has it
        **settings(job, place),
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider",
        "spark.hadoop.fs.s3a.access.key": environment["AWS_ACCESS_KEY_ID"],
        "spark.hadoop.fs.s3a.secret.key": environment["AWS_SECRET_ACCESS_KEY"],
        "spark.hadoop.fs.s3a.session.token": environment["AWS_SESSION_TOKEN"],
        **{f"spark.executorEnv.{name}": value for name, value in environment.items()},  # Python's workers have it
        **({"spark.submit.pyFiles": files, "spark.files": files} if files else {}),
    }


def command(job: SparkJob, place: Place) -> list[str]:
    """The command line for `job`, whose files have been made local."""
    words = [str(place.spark_submit)]
    for key, value in settings(job, place).items():
        words += ["--conf", f"{key}={value}"]
    for option, name in _LISTS.items():
        values: Sequence[str] = getattr(job, name)
        if values:
            words += [option, ",".join(values)]
    if job.main_class:
        words += ["--class", job.main_class]
    return [*words, job.entry_point, *job.arguments]


def log_configuration(folder: Path) -> Path:
    """Where the job's log4j2 properties are."""
    return folder / "log4j2.properties"


LOG_PROPERTIES = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
logger.metrics.name = org.apache.hadoop.metrics2.impl.MetricsConfig
logger.metrics.level = error
"""


_KILLED = re.compile(r"^testenv: (killed at \S+ of batch \d+)$", re.MULTILINE)
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.$]*(Error|Exception|Exit|Interrupt)(: |$)")


def last_error(stdout: str, stderr: str) -> str:
    """What a driver's output says of why it failed, in one line of at most 1000 characters.

    spark-submit sends a Python driver's stderr to its own stdout, so the last exception of a traceback is looked for
    there first; an error of the JVM that came through Py4J is in the line after. A crash test comes before all.
    """
    if killed := _KILLED.search(stderr):
        return f"{killed[1]}, as its crash test asked for"
    lines = [*stderr.splitlines(), *stdout.splitlines()]
    found = [number for number, line in enumerate(lines) if _EXCEPTION.match(line)]
    if found:
        last = found[-1]
        following = lines[last + 1] if last + 1 < len(lines) and lines[last + 1].startswith(": ") else ""
        return (lines[last] + following)[:1000]
    said = [
        line.strip() for line in lines if line.strip() and " WARN " not in line and not line.lstrip().startswith("at ")
    ]
    return (said or ["the driver wrote nothing"])[-1][:1000]
