#!/usr/bin/env bash
# Runs every test that makes network namespaces, without a single capability. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

drop=()
if grep -q '^CapEff:.*[1-9a-f]' /proc/self/status; then
  # root keeps its files and loses its rights; of capabilities it keeps the one without which the
  # kernel does not let uid 0 be mapped into a user namespace
  drop=(setpriv --bounding-set=-all,+setfcap --inh-caps=-all --ambient-caps=-all --no-new-privs)
fi
[ $# -gt 0 ] || set -- tests/lab tests/interop tests/integration/test_packet_sockets.py tests/integration/test_links.py
exec "${drop[@]}" .venv/bin/pytest -q "$@"
