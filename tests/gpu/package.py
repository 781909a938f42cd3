#!/usr/bin/env python3
"""Puts baton-gpu-check and what it needs besides the driver and CUDA's libraries into one folder,
to be carried to a machine with a card and run there by `run.sh`.

    tests/gpu/package.py build/release FOLDER
"""

import glob
import os
import re
import shutil
import subprocess
import sys

# Of the C library and the compiler every machine has its own; CUDA's come with CUDA.
LEFT_OUT = re.compile(r"ld-linux|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so|libcu|libnv")
RUN = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH="$here/lib:$LD_LIBRARY_PATH" exec "$here/baton-gpu-check" "$@"
"""


def main():
    build, folder = sys.argv[1:]
    os.makedirs(os.path.join(folder, "lib"), exist_ok=True)
    programs = [os.path.join(build, "bin", "baton-gpu-check"),
                *glob.glob(os.path.join(build, "bin", "libbaton_backend_cuda.so"))]
    for program in programs:
        shutil.copy(program, folder)
        needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for name, path in re.findall(r"(\S+) => (/\S+)", needed):
            if not LEFT_OUT.search(name):
                shutil.copy(path, os.path.join(folder, "lib", name))
    with open(os.path.join(folder, "run.sh"), "w", encoding="utf-8") as script:
        script.write(RUN)
    os.chmod(os.path.join(folder, "run.sh"), 0o755)
    print(f"{folder}/run.sh, on a machine with a driver for CUDA 13, cuBLAS 13 and cuDNN 9")


if __name__ == "__main__":
    main()
