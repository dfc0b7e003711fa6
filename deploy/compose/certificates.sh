# Profile `secure`: an authority, the brokers' certificate, and the workers' password, made once.
# To renew them, empty the settings: docker compose --profile secure down, then remove the two volumes *-settings.
set -eu
umask 077
[ ! -e /client/secure.env ] || exit 0
BROKER=1000 CLIENT=10001  # user ids in the two images
cd /tmp
curve="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $curve -keyout ca.key -out ca.pem -subj "/CN=streamrnn compose authority" -days 3650 2>/dev/null
openssl req -new $curve -keyout broker.key -out broker.csr -subj "/CN=kafka" 2>/dev/null
echo "subjectAltName=DNS:kafka,DNS:kafka-2,DNS:kafka-3,DNS:localhost,IP:127.0.0.1" > names
openssl x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out broker.crt -days "$DAYS" -extfile names 2>/dev/null

cat broker.key broker.crt ca.pem > /broker/broker.pem
openssl rand -hex 24 > /broker/password
cat > /broker/admin.properties <<END
security.protocol=SSL
ssl.keystore.type=PEM
ssl.keystore.location=/settings/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=/settings/ca.pem
END
cat ca.pem > /broker/ca.pem
cat ca.pem > /client/ca.pem
cat /broker/password > /client/password
cat /compose/secure.env > /broker/secure.env
cat > /client/secure.env <<END
STREAMRNN__KAFKA__SECURITY_PROTOCOL=SASL_SSL
STREAMRNN__KAFKA__SASL_MECHANISM=SCRAM-SHA-512
STREAMRNN__KAFKA__SASL_USERNAME=streamrnn
STREAMRNN__KAFKA__SASL_PASSWORD_FILE=/settings/password
STREAMRNN__KAFKA__SSL_CAFILE=/settings/ca.pem
END
chmod 644 /client/ca.pem
chown $BROKER /broker/broker.pem /broker/password /broker/admin.properties /broker/ca.pem /broker/secure.env
chown $CLIENT /client/password /client/ca.pem /client/secure.env
