# Profile `cluster`: tells the brokers and the workers that there are three.
set -eu
cp /compose/cluster.env /broker/cluster.env
echo STREAMRNN__KAFKA__BOOTSTRAP_SERVERS=kafka:9092,kafka-2:9092,kafka-3:9092 > /client/cluster.env
