"""An authority for tests, which signs real certificates with the openssl command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
[ca]
default_ca = it
[it]
dir = {folder}
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


@dataclass(frozen=True)
class Certificate:
    """Files of one certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; ``certificate`` is its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.certificate, self._key = folder / "ca.crt", folder / "ca.key"
        (folder / "index").touch()
        (folder / "serial").write_text("1000\n")
        (folder / "openssl.cnf").write_text(_CONFIG.format(folder=folder))
        new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
        _openssl(*new, "-subj", f"/CN={folder.name}", "-keyout", self._key, "-out", self.certificate)

    def issue(
        self, name: str, *, san: str = "IP:127.0.0.1", begins: str = "20200101000000Z", ends: str = "20500101000000Z"
    ) -> Certificate:
        """A certificate for ``san``, valid for a time in OpenSSL's notation; the key is for us alone."""
        made = Certificate(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        new = ("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        _openssl(*new, "-subj", f"/CN={name}", "-addext", f"subjectAltName={san}", "-keyout", made.key, "-out", request)
        sign = ("ca", "-batch", "-notext", "-config", self.folder / "openssl.cnf", "-cert", self.certificate)
        dates = ("-startdate", begins, "-enddate", ends)
        _openssl(*sign, "-keyfile", self._key, *dates, "-in", request, "-out", made.certificate)
        made.key.chmod(0o600)
        return made


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
