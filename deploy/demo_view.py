"""What the quickstart prints. Pure: jobs in, as `baton show -o json` gives them, lines out."""

BARS = "▁▂▃▄▅▆▇█"


def grouped(number):
    """12345 as "12 345"."""
    return f"{int(number):,}".replace(",", " ")


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def spark(values, width=8):
    """The last `width` values as bars; the highest loss is the lowest bar."""
    values = values[-width:]
    low, high = min(values, default=0), max(values, default=0)
    if high == low:
        return ""
    return "".join(BARS[round((high - value) / (high - low) * (len(BARS) - 1))]
                   for value in values)


def metric(job, *names):
    """The first of `names` that the job's metrics have, else None."""
    metrics = job.get("metrics") or {}
    return next((metrics[name] for name in names if isinstance(metrics.get(name), (int, float))),
                None)


def progress(job, epochs, losses, rate):
    """One line: where the job is, and how long it still takes at `rate` steps a second."""
    parts = [job["name"]]
    if job["steps_total"]:
        parts.append(f"epoch {epoch_of(job, epochs)}/{epochs}")
        parts.append(f"step {grouped(job['step'])}/{grouped(job['steps_total'])}")
    else:
        parts.append(f"{job['state']}  {job['reason']}")
    loss = metric(job, "loss")
    if loss is not None:
        parts.append(f"{spark(losses)}  loss {loss:.3f}")
    speed = metric(job, "images_per_s", "samples_per_s")
    if speed is not None:
        parts.append(f"{grouped(speed)} img/s")
    parts.append(f"{job['world_size']} ranks" if job["world_size"] != 1 else "1 rank")
    parts.append(f"${job['cost_usd']:.4f}")
    if rate > 0 and job["steps_total"]:
        parts.append(f"{clock((job['steps_total'] - job['step']) / rate)} left")
    return "  ".join(parts)


def epoch_of(job, epochs):
    """The epoch that is under way, from 1."""
    per_epoch = job["steps_total"] / epochs
    return min(epochs, int(job["step"] / per_epoch) + 1)


def place(job):
    """Where a job stands: what takes a machine from it moves it on to a later attempt, or to a
    later generation of the same one."""
    return len(job["attempts"]), job["generation"]


def survived(loss):
    return f"rank {loss['rank']} on {loss['node']} is lost ({loss['detector']}); the others go on"


def ended_attempt(attempt):
    end = attempt["end_cause"] or "ended"
    nodes = ", ".join(attempt["nodes"])
    return f"attempt {attempt['number']} on {nodes} ended at step " \
           f"{grouped(attempt['last_step'])}: {end}"


def summary(job, wall_s, digest, undisturbed_digest, model, test_images):
    """The closing block."""
    accuracy = metric(job, "test_accuracy", "accuracy")
    shown = "" if accuracy is None else f"    test accuracy {accuracy * 100:.1f} %"
    shown += f" ({grouped(test_images)} images)" if shown and test_images else ""
    lost = len(job["losses"]) + sum(a["end_cause"] != "succeeded" for a in job["attempts"])
    same = "yes" if digest == undisturbed_digest else "NO"
    versus = "=" if digest == undisturbed_digest else f"and {short(undisturbed_digest)} of"
    phases = {name.removesuffix("_s"): value for name, value in job["phases"].items() if value}
    total = sum(phases.values()) or 1
    times = "  ".join(f"{name} {value / total * 100:.1f} %" for name, value in phases.items())
    recoveries = ", ".join(f"{value:.1f} s" for value in job["recoveries_s"]) or "none needed"
    examples = ", at example prices; nothing was billed" if job.get("prices_are_examples") else ""
    return [
        f"{job['name']}  {job['state']} in {clock(wall_s)}{shown}    {lost} losses survived",
        f"  same weights?  {same}: {short(digest)} {versus} an undisturbed run on 1 rank, "
        "compared just now",
        f"  time           {times}",
        f"  lost           {job['steps_lost']} steps; from each loss to the next finished step: "
        f"{recoveries}",
        f"  cost           ${job['cost_usd']:.4f}   (on-demand ${job['cost_on_demand_usd']:.4f})"
        f"{examples}",
        f"  checkpoint     {checkpoint(job)}",
        f"  model          {model}",
    ]


def short(digest):
    return f"{digest[:4]}…{digest[-4:]}"


def checkpoint(job):
    if not job["checkpoints"]:
        return "none"
    newest = max(job["checkpoints"], key=lambda item: item["step"])
    return f"{newest['name']} (step {grouped(newest['step'])}, {short(newest['sha256'])}), in the " \
           f"cluster's store: baton checkpoints {job['name']}"
