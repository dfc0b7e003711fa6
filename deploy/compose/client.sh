# Starts a command of the streamrnn image with what the profile `secure` has written into /settings.
set -eu
for file in /settings/*.env; do
  [ ! -e "$file" ] || { set -a; . "$file"; set +a; }
done
# A name that stays with the container over restarts: killed, a worker gets its partitions back without a rebalance.
export STREAMRNN__KAFKA__GROUP_INSTANCE_ID="${STREAMRNN__KAFKA__GROUP_INSTANCE_ID:-$(cat /etc/hostname)}"
exec streamrnn "$@"
