#!/bin/sh
# run_sim.sh PROGRAM EVENTS fixed|commit: the simulator under a fixed seed, or under one made of the
# commit's hash: new every time, always replayable. The program prints how to replay a failure.
set -eu
program=$1
events=$2
seed=20260101
if [ "$3" = commit ]; then
  hash=$(git -C "$(dirname "$0")" rev-parse HEAD 2>/dev/null || echo 1)
  seed=$(printf '%d' "0x$(printf '%s' "$hash" | cut -c1-8)")
  echo "commit $hash"
fi
echo "baton-sim --seed $seed --events $events"
exec "$program" --seed "$seed" --events "$events" --probes
