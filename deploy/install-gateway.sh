#!/bin/sh
# Install a gateway from the folder in which this file lies (dist/wheelhouse, made by `make wheelhouse`), without a network.
#
#   sh install-gateway.sh [VENV]        VENV: /opt/stormpetrel unless given
#
# Every wheel but the project's own is held against the hash in constraints-gateway.txt. Again, it brings VENV to what lies
# here; settings, spool and units are left alone.
set -eu
export PIP_CONFIG_FILE=/dev/null    # no index that this machine may know

here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-/opt/stormpetrel}

if ! command -v python3.11 >/dev/null; then
    echo "install-gateway: no python3.11, expected Debian 12 or another machine with it" >&2
    exit 1
fi
set -- "$here"/stormpetrel-*.whl
if [ $# -ne 1 ] || [ ! -f "$1" ]; then
    echo "install-gateway: $here: expected one stormpetrel-*.whl" >&2
    exit 1
fi

if [ ! -x "$venv/bin/pip" ] && ! python3.11 -m venv "$venv"; then
    echo "install-gateway: expected the package python3.11-venv" >&2
    exit 1
fi
pip="$venv/bin/pip --disable-pip-version-check install --quiet --no-index --find-links $here"
$pip --require-hashes --only-binary :all: -r "$here/constraints-gateway.txt"
$pip --no-deps --force-reinstall "$1"
"$venv/bin/petrel" --help >/dev/null

size=$(du -sm "$venv" | cut -f1)
echo "$venv: $("$venv/bin/pip" list --format=freeze 2>/dev/null | grep -c ==) packages, $size MB; next: $venv/bin/petrel gateway init"
