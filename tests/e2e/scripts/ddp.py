"""PyTorch's data parallelism over gloo: knows torchrun's variables alone. Rank 0 saves. Arguments: how
many epochs, after which one the first life stands still until it is ended (0: after none), and a file
for which a later life waits before its last one."""
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
    while epoch == int(sys.argv[2]) and os.environ["BATON_ATTEMPT"] == "1":
        time.sleep(0.1)
    while len(sys.argv) > 3 and epoch == int(sys.argv[1]) - 1 and not os.path.exists(sys.argv[3]):
        time.sleep(0.05)
if rank == 0:
    print("weights", [value.hex() for value in model.module.weight.flatten().tolist()])
