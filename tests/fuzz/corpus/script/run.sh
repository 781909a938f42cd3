#!/usr/bin/env -S bash -l
#SBATCH --job-name=fit --time=1-02:30:00 # a day
#SBATCH -N 2 -n 8 -c4
#SBATCH --mem-per-cpu=2G --gres=gpu:a100:4,shard:1
#SBATCH --array=0-9
#SBATCH --gpus-per-task=1 -p "a b"
#SBATCH --mem=0
echo
