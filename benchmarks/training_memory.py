#!/usr/bin/env python3
"""Peak memory and time of a training step of the default network, by timesteps and by what is recomputed.

    python3 benchmarks/training_memory.py --size 320 --timesteps 1 2 4 8

Each row comes from a process of its own: `gammanet passes --train` with one choice of what is
recomputed (none, cells, timesteps), the same without native kernels (composed: automatic
differentiation of LibTorch's operators, nothing recomputed), and PyTorch on the network of
compare_pytorch.py (torch). A step is a forward and backward pass of one image. The first pass warms
up, the second is timed. What keeps everything and does not fit the machine's memory is left out.
Prints a table in Markdown.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
GB_PER_MEGAPIXEL_STEP = 72  # of what keeps everything; measured at 160x160, T = 2
LABELS = {"composed": "nothing, without native kernels", "torch": "nothing, PyTorch eager",
          "none": "nothing", "cells": "cells", "timesteps": "timesteps"}


def available_gb():
    with open("/proc/meminfo") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1e6
    return 0


def torch_step(size, timesteps, threads):
    """Run in a process of its own: prints seconds and peak memory."""
    import resource
    import time
    import numpy as np
    import torch
    import compare_pytorch as compare
    torch.set_num_threads(threads)
    network = compare.Network(compare.make_weights(1), timesteps)
    image = torch.from_numpy(
        np.random.default_rng(2).uniform(-2, 2, (1, 3, size, size)).astype(np.float32))
    seconds = 0
    for _ in range(2):
        network.zero_grad()
        start = time.perf_counter()
        network(image).mean().backward()
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak_rss_mb": peak // 1024}))


def run(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        print(result.stderr.strip().splitlines()[-1:] or f"exit {result.returncode}", file=sys.stderr)
        return None
    return json.loads(result.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--timesteps", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--modes", nargs="+", choices=list(LABELS),
                        default=["none", "cells", "timesteps", "torch"])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precision", default="float32", help="of Java's products: float32 or bf16")
    parser.add_argument("--gammanet", default=str(HERE.parent / "cli" / "gammanet"))
    parser.add_argument("--torch-step", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.torch_step:
        torch_step(*arguments.torch_step, arguments.threads)
        return
    print("| T | recomputed | peak memory | seconds per step |")
    print("|---|---|---|---|")
    for timesteps in arguments.timesteps:
        for mode in arguments.modes:
            row = f"| {timesteps} | {LABELS[mode]} |"
            need = GB_PER_MEGAPIXEL_STEP * arguments.size ** 2 / 1e6 * timesteps
            if mode in ("composed", "torch") and need > available_gb():
                print(f"{row} does not fit: about {need:.0f} GB | |", flush=True)
                continue
            if mode == "torch":
                command = [sys.executable, __file__, "--threads", str(arguments.threads),
                           "--torch-step", str(arguments.size), str(timesteps)]
            else:
                command = [arguments.gammanet, "passes", "--train",
                           "--size", str(arguments.size), "--timesteps", str(timesteps),
                           "--threads", str(arguments.threads), "--runs", "2",
                           "--precision", arguments.precision]
                command += (["--composed"] if mode == "composed" else ["--recompute", mode])
            figures = run(command)
            if figures is None:
                print(f"{row} failed | |", flush=True)
            else:
                print(f"{row} {figures['peak_rss_mb'] * 2 ** 20 / 1e9:.2f} GB "
                      f"| {figures['seconds']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
