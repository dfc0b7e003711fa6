#!/opt/streamrnn/bin/python -IS
"""Exit 0 when `/livez` of the worker in this container says so, else 1 with its reasons. `healthcheck [PATH]`."""

import http.client
import os
import sys

PORT = int(os.environ.get("STREAMRNN__MONITOR__PORT") or 8321)
TOKEN = os.environb.get(b"STREAMRNN__MONITOR__TOKEN")

connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=4)
try:
    headers = {"Authorization": b"Bearer " + TOKEN} if TOKEN else {}
    connection.request("GET", sys.argv[1] if len(sys.argv) > 1 else "/livez", headers=headers)
    answer = connection.getresponse()
    print(answer.status, answer.read().decode(errors="replace").strip())
    sys.exit(0 if answer.status == 200 else 1)
except OSError as error:
    print(f"127.0.0.1:{PORT} does not answer: {error}")
    sys.exit(1)
