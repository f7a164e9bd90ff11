#!/usr/bin/env bash
# Runs on a real API server what `make test` runs on the dev API server. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
export FERROLB_TEST_API=real

if [ $# -gt 0 ]; then
  exec .venv/bin/pytest "$@"
fi
exec .venv/bin/pytest -q tests/contract
