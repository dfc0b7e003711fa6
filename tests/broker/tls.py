"""Certificates for a broker's TLS listener: an authority, a certificate it signed, one that has expired."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.broker.artifacts import BrokerMissing

_HOST = "subjectAltName=IP:127.0.0.1,DNS:localhost"


def make(folder: Path, *, days: int = 2) -> Path:
    """`ca.pem` for clients and `broker.pem` (key and chain) in `folder`."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise BrokerMissing("no openssl on the PATH to make certificates with (Debian: openssl)")
    folder.mkdir(parents=True, exist_ok=True)

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], check=True, cwd=folder, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=streamrnn tests", "-days", "2")
    run("req", "-new", *key, "-keyout", "broker.key", "-out", "broker.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text(_HOST)
    run("x509", "-req", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-out", "broker.crt", "-days", str(days), "-extfile", "names")  # fmt: skip
    parts = [(folder / name).read_text() for name in ("broker.key", "broker.crt", "ca.pem")]
    (folder / "broker.pem").write_text("".join(parts))
    return folder
