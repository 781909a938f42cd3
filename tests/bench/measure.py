"""What the rows of the bench share: figures, medians, the disk's own speed, specs, the build."""
import contextlib
import dataclasses
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", "release")
PROGRAMS = os.path.join(BUILD, "bin")
BENCHES = os.path.join(BUILD, "tests")
SPECS = os.path.join(ROOT, "trainer", "specs")
LENET = os.path.join(SPECS, "lenet.yaml")
# Debian's python3-torch belongs to Debian's interpreter, which need not be the first in PATH.
DEBIAN_PYTHON = "/usr/bin/python3"
NEWEST_PYTHON = os.path.join(ROOT, "build", "peers-bench", "bin", "python3")
# Prints the version and the BLAS of PyTorch's build.
TELL_TORCH = """import re, numpy, torch
print(torch.__version__, re.search("BLAS_INFO=([a-z]+)", torch.__config__.show())[1])"""
# Runs a program and prints its peak of memory in KiB; of a process that a large one starts the
# kernel would tell the large one's.
TELL_PEAK = """import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss if status == 0 else -1)"""


class Missing(Exception):
    """Something that a row needs is not installed; the text says how to get it."""


@dataclasses.dataclass
class Figure:
    what: str
    value: str
    beside: str = ""  # the peer or the disk, measured in the same minutes
    expected: str = ""
    met: bool = None  # None: nothing is expected


def say(text):
    print(f"  .. {text}", file=sys.stderr, flush=True)


def number(value, digits=3):
    """Three significant digits, thousands apart by a space: 12 345, 1.23, 0.0456."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.{digits}g}"


def spread(values, unit=""):
    """The median, and the least and the greatest."""
    unit = f" {unit}" if unit else ""
    if len(values) == 1:
        return number(values[0]) + unit
    return (f"{number(statistics.median(values))}{unit} "
            f"({number(min(values))} to {number(max(values))})")


def build(*targets):
    """Configures and builds in release; the compiler's words only when it fails. What was built
    elsewhere and carried here (tests/gpu/package.py) comes without its sources."""
    if not os.path.exists(os.path.join(ROOT, "CMakeLists.txt")):
        return
    steps = [["cmake", "--preset", "release"],
             ["cmake", "--build", BUILD, "--target", *targets, f"-j{os.cpu_count()}"]]
    for step in steps:
        done = subprocess.run(step, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(step)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


@contextlib.contextmanager
def folder(prefix):
    """A new folder that is gone afterwards. On a disk, not on a tmpfs, if TMPDIR says so."""
    path = tempfile.mkdtemp(prefix=f"baton-bench-{prefix}-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sync_rate(path, seconds=1.0):
    """Appends of 512 bytes with fdatasync per second, by one thread, in folder `path`."""
    name = os.path.join(path, "sync-rate")
    count = 0
    fd = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            os.write(fd, b"x" * 512)
            os.fdatasync(fd)
            count += 1
    finally:
        os.close(fd)
        os.unlink(name)
    return count / passed


@dataclasses.dataclass
class Torch:
    python: str  # the interpreter that has it
    name: str    # "PyTorch 2.15.0+cu132 (MKL)"


def tell_torch(python):
    """[version, BLAS] of an interpreter's PyTorch; None when it has none."""
    look = subprocess.run([python, "-c", TELL_TORCH], capture_output=True, text=True, check=False)
    return look.stdout.split() if look.returncode == 0 else None


def debian_torch_or_missing():
    """Debian's PyTorch, with the BLAS that makes the comparison fair: it takes what is installed."""
    blas = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}",
                           "libopenblas0-pthread"], capture_output=True, text=True, check=False)
    told = tell_torch(DEBIAN_PYTHON)
    if told is None or blas.stdout != "installed":
        raise Missing("PyTorch or its BLAS is missing: deploy/install_peers.sh bench, or "
                      "deploy/install_packages.sh test for Debian's")
    return Torch(DEBIAN_PYTHON, f"Debian PyTorch {told[0]} (OpenBLAS)")


def torch_or_missing():
    """The newest PyTorch where it is installed, else Debian's."""
    told = tell_torch(NEWEST_PYTHON) if os.path.exists(NEWEST_PYTHON) else None
    if told is None:
        return debian_torch_or_missing()
    return Torch(NEWEST_PYTHON, f"PyTorch {told[0]} ({told[1].upper()})")


def peak_mib(command):
    """The peak of a program's resident memory."""
    done = subprocess.run([sys.executable, "-c", TELL_PEAK, *command], env=one_thread(),
                          capture_output=True, text=True, check=True)
    kib = int(done.stdout)
    if kib < 0:
        sys.exit(f"{' '.join(command)} failed")
    return kib / 1024


def lenet_variant(path, **fields):
    """trainer/specs/lenet.yaml with other top-level fields, written to `path`."""
    with open(LENET, encoding="utf-8") as file:
        text = file.read()
    text = text.replace("mnist-small/", os.path.join(SPECS, "mnist-small") + "/")
    for name, value in fields.items():
        line = f"{name}: {value}"
        text, found = re.subn(rf"(?m)^{name}:.*$", line, text)
        if not found:
            text = f"{line}\n{text}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def one_thread():
    """The environment of a measured single-threaded program: idle OpenMP threads do not spin."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "passive"}


def machine():
    """This machine in words, for the head of the table."""
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory_kib = int(file.readline().split()[1])
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (f"{len(os.sched_getaffinity(0))} cores of {model}, {memory_kib / 2**20:.0f} GiB, "
            f"load {load}")
