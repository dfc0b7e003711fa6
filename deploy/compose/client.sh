# Starts a command of the streamrnn image with what the profile `secure` has written into /settings.
set -eu
for file in /settings/*.env; do
  [ ! -e "$file" ] || { set -a; . "$file"; set +a; }
done
exec streamrnn "$@"
