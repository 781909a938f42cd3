#!/bin/sh
# On a machine with a card: every check, then the benchmark beside PyTorch where python3 has one.
#   run.sh [checks|bench]
here=$(dirname "$(readlink -f "$0")")
bin=$here/build/release/bin
specs=$here/trainer/specs
cd "$here" || exit 1
failed=0
if [ "$1" != bench ]; then
  "$bin/baton-gpu-check" || failed=1
  python3 tests/gpu/trainer_on_card_test.py "$bin" "$specs" || failed=1
  if [ "$(nvidia-smi -L | grep -c '^GPU')" -ge 3 ]; then
    python3 tests/gpu/gang_on_cards_test.py "$bin" "$specs" || failed=1
  fi
fi
if [ "$1" != checks ]; then
  python3 tests/bench/run.py --only cards || failed=1
fi
exit $failed
