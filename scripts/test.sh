#!/usr/bin/env bash
# Runs every test with branch coverage, also of the programs that tests start. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin

if [ $# -gt 0 ]; then
  exec "$bin/pytest" "$@"
fi
rm -f .coverage .coverage.*
"$bin/coverage" run -m pytest -q
"$bin/coverage" combine -q
"$bin/coverage" report --skip-covered --skip-empty --fail-under=95
