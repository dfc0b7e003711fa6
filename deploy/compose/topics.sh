# Makes the topics, and in the profile `secure` the user. Runs on every `up`; what exists is left as it is.
# Input, outputs and state have the same number of partitions: the state of a partition lies in that of its number.
set -euo pipefail
for file in /settings/*.env; do
  [ ! -e "$file" ] || { set -a; . "$file"; set +a; }
done
tools=(--bootstrap-server kafka:9091)
[ ! -e /settings/admin.properties ] || tools+=(--command-config /settings/admin.properties)

if [ -e /settings/password ]; then
  /opt/kafka/bin/kafka-configs.sh "${tools[@]}" --alter --entity-type users --entity-name streamrnn \
    --add-config "SCRAM-SHA-512=[password=$(cat /settings/password)]"
fi

existing=$(/opt/kafka/bin/kafka-topics.sh "${tools[@]}" --list)
topic() { # NAME [SETTING=VALUE ...]
  local name=$1 settings=(); shift
  if grep -qx "$name" <<<"$existing"; then return; fi
  for setting in "$@"; do settings+=(--config "$setting"); done
  /opt/kafka/bin/kafka-topics.sh "${tools[@]}" --create --if-not-exists --topic "$name" \
    --partitions "$PARTITIONS" --replication-factor "${KAFKA_DEFAULT_REPLICATION_FACTOR:-1}" "${settings[@]}"
}
topic events "retention.ms=$RETENTION_MS"
topic forecasts "retention.ms=$RETENTION_MS"
topic alerts "retention.ms=$RETENTION_MS"
topic alerts-undelivered "retention.ms=$RETENTION_MS" max.message.bytes=1114124
topic dead-letters "retention.ms=$RETENTION_MS" max.message.bytes=1114124
for name in forecasts alerts dead-letters; do  # of the profile `flink`
  topic "flink-$name" "retention.ms=$RETENTION_MS" max.message.bytes=1114124
done
# Compacted, never deleted: this is what was learned. Only closed segments are compacted, so they are small.
topic water-changelog cleanup.policy=compact segment.ms=3600000 segment.bytes=67108864
topic water-notify-changelog cleanup.policy=compact segment.ms=3600000 segment.bytes=67108864
