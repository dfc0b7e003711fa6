# Starts the broker of the official image with what the profiles have written into /settings.
set -euo pipefail
for file in /settings/*.env; do
  [ ! -e "$file" ] || { set -a; . "$file"; set +a; }
done
exec /etc/kafka/docker/run
