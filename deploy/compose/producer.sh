# Writes the events and replays them; the times become those of sending.
set -eu
python /compose/replay.py /tmp/events.jsonl "$EVENTS" "$SEED"
exec sh /compose/client.sh produce /tmp/events.jsonl --topic events --times now --rate "$RATE"
