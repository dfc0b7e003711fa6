"""Make the broker's image where it cannot be pulled: `python -m tests.deploy.kafka_image [TAG]`.

From the published jars, on a Java image that the engine holds or can pull (STREAMRNN_TEST_JRE). It keeps to what
docker-compose.yml uses of apache/kafka: the paths, the user 1000, `KAFKA_...` variables as properties, the tools.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
JRE = "eclipse-temurin:17-jre"
TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-storage.sh": "kafka.tools.StorageTool",
    "kafka-server-start.sh": "kafka.Kafka",
}

# As the official image: KAFKA_NODE_ID is node.id, __ stands for _ and ___ for -.
RUN = r"""#!/bin/bash
set -euo pipefail
properties=/opt/kafka/config/server.properties
: > "$properties"
while IFS= read -r -d '' line; do
  name=${line%%=*} value=${line#*=}
  case $name in
    KAFKA_HEAP_OPTS|KAFKA_OPTS|KAFKA_VERSION) continue ;;
    KAFKA_*) ;;
    *) continue ;;
  esac
  name=$(tr 'A-Z_' 'a-z.' <<<"${name#KAFKA_}" | sed 's/\.\.\./-/g; s/\.\./_/g')
  printf '%s=%s\n' "$name" "$value" >> "$properties"
done < <(env -0)
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id "$CLUSTER_ID" -c "$properties"
exec /opt/kafka/bin/kafka-server-start.sh "$properties"
"""

TOOL = """#!/bin/sh
exec java ${{KAFKA_HEAP_OPTS:--Xmx256m}} -XX:+UseSerialGC -Dlog4j2.configurationFile=/etc/kafka/docker/{log} \\
  -cp '/opt/kafka/libs/*' {main} "$@"
"""

LOG = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_{target}
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = {level}
rootLogger.appenderRef.console.ref = console
"""

DOCKERFILE = """FROM {jre}
COPY libs /opt/kafka/libs
COPY bin /opt/kafka/bin
COPY docker /etc/kafka/docker
RUN (getent passwd 1000 | cut -d: -f1 | xargs -r userdel) && useradd --uid 1000 --create-home appuser \\
    && mkdir -p /opt/kafka/config /var/lib/kafka/data && chown -R appuser /opt/kafka/config /var/lib/kafka \\
    && chmod 755 /opt/kafka/bin/* /etc/kafka/docker/run
USER appuser
VOLUME ["/var/lib/kafka/data"]
CMD ["/etc/kafka/docker/run"]
"""


BUILD = ("docker", "build", "--quiet")


def builder() -> dict[str, str]:
    """The environment of a build: without buildx the engine's own builder has to be asked for."""
    missing = subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode
    return {**os.environ, **({"DOCKER_BUILDKIT": "0"} if missing else {})}


def version() -> str:
    """Of the broker in `pom.xml`."""
    return POM.read_text().split("<artifactId>kafka_2.13</artifactId>")[1].split("<version>")[1].split("<")[0]


def make(tag: str, jre: str) -> None:
    """Build it; raises CalledProcessError where Maven or the engine fails."""
    with tempfile.TemporaryDirectory(prefix="streamrnn-kafka-image-") as name:
        folder = Path(name)
        subprocess.run(
            ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime",
             f"-DoutputDirectory={folder / 'libs'}"],
            check=True, timeout=540,
        )  # fmt: skip
        (folder / "bin").mkdir()
        for script, main in TOOLS.items():
            log = "server.properties" if script == "kafka-server-start.sh" else "tools.properties"
            (folder / "bin" / script).write_text(TOOL.format(main=main, log=log))
        (folder / "docker").mkdir()
        (folder / "docker" / "run").write_text(RUN)
        (folder / "docker" / "server.properties").write_text(LOG.format(target="OUT", level="info"))
        (folder / "docker" / "tools.properties").write_text(LOG.format(target="ERR", level="warn"))
        (folder / "Dockerfile").write_text(DOCKERFILE.format(jre=jre))
        subprocess.run([*BUILD, "-t", tag, str(folder)], check=True, timeout=540, env=builder())


if __name__ == "__main__":
    for program in ("mvn", "docker"):
        if shutil.which(program) is None:
            sys.exit(f"no {program} on the PATH")
    make(sys.argv[1] if len(sys.argv) > 1 else f"apache/kafka:{version()}", os.environ.get("STREAMRNN_TEST_JRE", JRE))
