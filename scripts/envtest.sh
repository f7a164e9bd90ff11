#!/usr/bin/env bash
# Runs on a real API server what `make test` runs on the dev API server. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
export FERROLB_TEST_API=real

if [ $# -gt 0 ]; then
  exec .venv/bin/pytest "$@"
fi

# The API's behaviour, the starter itself, roles, both programs against it, then networks with
# real kube-proxies: what says most about a failure comes first.
exec .venv/bin/pytest -q --durations=15 \
  tests/contract \
  tests/envtest \
  tests/roles \
  tests/integration/test_controller.py \
  tests/integration/test_request_counts.py \
  tests/integration/test_not_announced.py \
  tests/integration/test_l2_status.py \
  tests/e2e \
  tests/lab/test_real.py \
  tests/lab/test_speakers.py
