"""PyTorch's data parallelism over gloo: knows torchrun's variables alone. Rank 0 saves."""
import os
import sys
import time

import torch
import torch.distributed as dist

torch.manual_seed(1)
dist.init_process_group("gloo")
rank = dist.get_rank()
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
epoch = 0
if os.path.exists("ckpt.pt"):
    state = torch.load("ckpt.pt")
    model.load_state_dict(state["model"])
    epoch = state["epoch"]
print(f"rank {rank} of {dist.get_world_size()} begins at {epoch}", flush=True)
while epoch < int(sys.argv[1]):
    optimizer.zero_grad()
    loss = (model(torch.ones(8, 4) * rank) - 1).pow(2).mean()
    loss.backward()
    optimizer.step()
    epoch += 1
    if rank == 0:
        torch.save({"model": model.state_dict(), "epoch": epoch}, "ckpt.pt")
        print(f"epoch {epoch}", flush=True)
    dist.barrier()
    time.sleep(float(sys.argv[2]))
if rank == 0:
    print("weights", [value.hex() for value in model.module.weight.flatten().tolist()])
