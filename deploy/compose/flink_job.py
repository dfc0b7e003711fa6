"""Submits pipeline.yaml to the job manager of the profile `flink`, unless it runs there already.

A job manager that was started anew knows no job: the new one goes on from the newest checkpoint of the volume.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path

JOB_MANAGER = os.environ.get("JOB_MANAGER", "flink:8081")
CHECKPOINTS = Path(os.environ.get("CHECKPOINTS", "/checkpoints"))
PIPELINE = Path(__file__).with_name("pipeline.yaml")
OVER = {"FINISHED", "CANCELED", "FAILED"}
NAMES = {"application_id": "water-flink", "kafka.output_topic": "flink-forecasts", "kafka.alerts_topic": "flink-alerts"}
NAMES["kafka.dead_letter_topic"] = "flink-dead-letters"


def running() -> bool:
    """Whether the job manager has this job, in whatever state that is not its end."""
    with urllib.request.urlopen(f"http://{JOB_MANAGER}/jobs/overview", timeout=10) as answer:
        jobs = json.load(answer)["jobs"]
    return any(job["name"] == NAMES["application_id"] and job["state"] not in OVER for job in jobs)


def newest() -> Path | None:
    """The newest checkpoint that is complete."""
    found = [file for file in CHECKPOINTS.glob("*/chk-*/_metadata") if file.stat().st_size]
    return max(found, key=lambda file: file.stat().st_mtime).parent if found else None


def main() -> None:
    """Become `streamrnn flink-job`, or end."""
    if running():
        print("the job runs already")
        return
    command = ["flink-job", "--config", str(PIPELINE), "--jobmanager", JOB_MANAGER, "--parallelism", "2"]
    command += ["--checkpoints", CHECKPOINTS.as_uri()]
    checkpoint = newest()
    if checkpoint is not None:
        command += ["--from-savepoint", checkpoint.as_uri()]
    for name, value in {"model.weights": "series", **NAMES}.items():
        command += ["--set", f"{name}={value}"]
    command += sys.argv[1:]
    os.execv(sys.executable, [sys.executable, "-m", "streamrnn", *command])


if __name__ == "__main__":
    main()
