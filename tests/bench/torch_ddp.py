"""PyTorch's data parallelism over gloo as its users write it, for the row `ddp`: knows torchrun's
variables alone, saves after each step, goes on from what it has saved. Appends "PID STEP TIME" to
$STAMPS/rank-R after each step."""
import os
import time

import torch
import torch.distributed as dist

os.umask(0)  # the next process of a rank may be another user's
torch.set_num_threads(1)
dist.init_process_group("gloo")
rank = dist.get_rank()
model = torch.nn.parallel.DistributedDataParallel(
    torch.nn.Sequential(torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
step = 0
if os.path.exists("ckpt.pt"):
    state = torch.load("ckpt.pt")
    model.load_state_dict(state["model"])
    step = state["step"]
with open(f"{os.environ['STAMPS']}/rank-{rank}", "a", encoding="utf-8") as stamps:
    while True:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(
            model(torch.randn(64, 256)), torch.randint(0, 10, (64,))).backward()
        optimizer.step()
        step += 1
        if rank == 0:
            torch.save({"model": model.state_dict(), "step": step}, "ckpt.tmp")
            os.replace("ckpt.tmp", "ckpt.pt")
        dist.barrier()
        stamps.write(f"{os.getpid()} {step} {time.time()}\n")
        stamps.flush()
        time.sleep(0.05)
