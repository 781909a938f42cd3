#!/bin/bash
#SBATCH --nodes=2 --ntasks-per-node=2 --job-name=steps
#SBATCH --signal=USR1
# Steps on all nodes, one after the other and beside each other; one that fails, one that is cut, and
# one that waits until a node is gone or a notice comes.
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n1)
export MASTER_ADDR
export SAID="by the script"
echo "{\"step\": $((SLURM_RESTART_COUNT + 1))}" >> "$BATON_METRICS_FILE"
echo "script on node $SLURM_NODEID of $SLURM_NNODES"
mkdir made && cd made || exit 1
srun --label bash -c 'echo "task $RANK of $WORLD_SIZE, $SLURM_LOCALID on $SLURM_NODEID, \
meets $MASTER_ADDR, $SAID in $(basename "$PWD")"'
echo "srun says $(srun -N1 -n1 echo captured)"
srun -N1 -n1 bash -c 'until [ -e quick ]; do sleep 0.02; done; echo slow' &
srun -n 2 bash -c 'echo "quick $SLURM_PROCID"; touch quick' &
wait
srun bash -c '[ "$SLURM_PROCID" = 3 ] && exit 7; exec sleep 60'
echo "failed with $?"
timeout 1.5 srun -u --frobnicate sleep 60
echo "cut with $?"
if [ "$SLURM_RESTART_COUNT" = 0 ]; then
  srun bash -c 'echo waits; exec sleep 60'
  echo "a script whose node is gone goes no further"
fi
if [ "$SLURM_RESTART_COUNT" = 1 ]; then
  trap 'echo "the script is told"' USR1
  srun bash -c 'trap "echo task $RANK is told; exit 75" USR1; echo listens; while :; do sleep 0.05; done'
  exit $?
fi
echo "the end"
