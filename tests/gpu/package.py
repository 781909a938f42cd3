#!/usr/bin/env python3
"""Puts every check and benchmark that needs a card into one archive, to be carried to a machine with a
card, unpacked and run there by `run.sh`: programs, libraries, specs with their data, and scripts.

    tests/gpu/package.py build/release gpu-check.tar.xz
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ["baton-gpu-check", "baton-trainer", "libbaton_backend_cuda.so",
            "libbaton_backend_cpu.so"]
FOLDERS = ["trainer/specs", "tests/bench", "tests/gpu"]
# Of the C library and the compiler every machine has its own; CUDA's come with CUDA.
LEFT_OUT = re.compile(r"ld-linux|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so|libcu|libnv|libnccl")

# That machine's own programs (python3) must not see libraries of this one.
WRAPPER = """#!/bin/sh
top=$(readlink -f "$(dirname "$(readlink -f "$0")")/../../..")
LD_LIBRARY_PATH="$top/lib:$LD_LIBRARY_PATH" exec "$top/programs/{name}" "$@"
"""


def write_wrapper(path, name):
    with open(path, "w", encoding="utf-8") as script:
        script.write(WRAPPER.format(name=name))
    os.chmod(path, 0o755)


def main():
    build, archive = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        top = os.path.join(folder, "baton-gpu")
        for name in FOLDERS:
            shutil.copytree(os.path.join(ROOT, name), os.path.join(top, name))
        shutil.copy(os.path.join(ROOT, "tests/gpu/run.sh"), top)
        wrapped, programs, libraries = (os.path.join(top, name) for name in
                                        ("build/release/bin", "programs", "lib"))
        for name in (wrapped, programs, libraries):
            os.makedirs(name)
        for program in (os.path.join(build, "bin", name) for name in PROGRAMS):
            shutil.copy(program, programs)
            needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
            for name, path in re.findall(r"(\S+) => (/\S+)", needed.stdout):
                if not LEFT_OUT.search(name):
                    shutil.copy(path, os.path.join(libraries, name))
        for name in PROGRAMS:
            if not name.endswith(".so"):
                # Where the scripts look for it.
                write_wrapper(os.path.join(wrapped, name), name)
        for place in (programs, libraries):
            files = [os.path.join(place, name) for name in os.listdir(place)]
            subprocess.run(["strip", "--strip-unneeded", *files], check=True)
        subprocess.run(["tar", "-C", folder, "-cJf", archive, "baton-gpu"], check=True,
                       env={**os.environ, "XZ_OPT": "-T0"})
    print(f"{archive}, {os.path.getsize(archive) >> 20} MiB: for a machine with a driver for CUDA "
          "13, cuBLAS 13 and cuDNN 9")


if __name__ == "__main__":
    main()
