#!/usr/bin/env python3
"""A whole visit to a CUDA machine: build, parity, speed, memory; one table at the end.

    python3 benchmarks/gpu/visit.py --json figures.json

Needs CMake, a C++ compiler, nvcc and a PyTorch with CUDA (2.11 or newer), and no network. What it does:

1. builds native/ from its sources, CUDA kernels included, and runs the native tests;
2. for cells of the network's sizes: largest difference of the native kernels from the same
   equations in float64 (outputs and gradients), time against PyTorch eager (contiguous and
   channels-last, whichever is faster) and torch.compile, and peak memory, with TF32 off and on and
   in bfloat16;
3. for the whole network, if there is a launcher of GammaNet (--gammanet; cli/gammanet needs a JDK,
   a carried jlink image has its own): benchmarks/compare_pytorch.py with the same choices.

Without a GPU, `--device cpu` goes the same way on the processor, to check this script; with a PyTorch
older than 2.11 the cells are left out. GAMMANET_LIBTORCH names the LibTorch of the network's runs
(default: that of the PyTorch in use; the cells always use that one, a process can hold only one).
"""
import argparse
import ctypes
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import compare_pytorch

# Channels, height and width, kernel: the bottom-up cells of the first four levels, and a feedback cell.
CELLS = ((64, 320, 3), (128, 160, 3), (256, 80, 3), (512, 40, 3), (64, 320, 1))
# Places in a cell's array of parameters, as native/include/gammanet_native.h numbers them.
PARAMETERS = ("W_inh", "W_exc", "W_gain", "W_mix", "b_gain", "b_mix",
              "dynamic_params.inhibition_net.0.weight", "dynamic_params.inhibition_net.0.bias",
              "dynamic_params.excitation_net.0.weight", "dynamic_params.excitation_net.0.bias")
PLACES = 18
FLOAT32, BFLOAT16 = 6, 15  # dtypes of LibTorch's C functions


def build(folder, device):
    """Builds native/; returns the folder with the libraries."""
    start = time.perf_counter()
    cuda = "ON" if device == "cuda" else "OFF"
    for command in (["cmake", "-S", str(ROOT / "native"), "-B", str(folder), f"-DGAMMANET_CUDA={cuda}"],
                    ["cmake", "--build", str(folder), "--parallel", str(os.cpu_count())]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")
    reason = folder / "unavailable.txt"
    if reason.exists():
        sys.exit(f"the native kernels cannot be built here: {reason.read_text()}")
    print(f"built native/ in {time.perf_counter() - start:.0f} s", flush=True)
    return folder


def run_tests(folder):
    done = subprocess.run(["ctest", "--test-dir", str(folder), "--output-on-failure"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout[-1500:] if done.returncode else "native tests pass", flush=True)
    return done.returncode == 0


class Native:
    """libgammanet_native, called with tensors of PyTorch or arrays of NumPy."""

    def __init__(self, folder, libtorch, device):
        self.device = device
        self.torch = ctypes.CDLL(str(libtorch / "libtorch_cpu.so"))
        self.library = ctypes.CDLL(str(folder / "libgammanet_native.so"))
        self.library.gammanet_last_error.restype = ctypes.c_char_p
        self.check(self.library.gammanet_native_init(str(libtorch / "libtorch_cpu.so").encode()))
        if device == "cuda":
            self.check(self.library.gammanet_native_init_cuda(str(folder / "libgammanet_cuda.so").encode()))

    def check(self, status):
        if status != 0:
            sys.exit(f"native call failed ({status}): {self.library.gammanet_last_error().decode()}")

    def handle(self, tensor):
        """A LibTorch handle on a tensor's memory; the tensor must outlive it."""
        if tensor is None:
            return ctypes.c_void_p()
        sizes = (ctypes.c_int64 * tensor.dim())(*tensor.shape)
        strides = (ctypes.c_int64 * tensor.dim())(*tensor.stride())
        result = ctypes.c_void_p()
        cuda = tensor.is_cuda
        if self.torch.aoti_torch_create_tensor_from_blob(
                ctypes.c_void_p(tensor.data_ptr()), ctypes.c_int64(tensor.dim()), sizes, strides,
                ctypes.c_int64(0), FLOAT32, 1 if cuda else 0, tensor.device.index or 0 if cuda else 0,
                ctypes.byref(result)):
            sys.exit("LibTorch cannot wrap a tensor")
        return result

    def release(self, handles):
        for handle in handles:
            if handle:
                self.torch.aoti_torch_delete_tensor_object(handle)


class NativeCell:
    """One packed cell with preallocated outputs and gradients."""

    def __init__(self, native, weights, maps, precision):
        self.native = native
        self.tensors = [weights["cell." + name] for name in PARAMETERS]
        self.maps = [t.contiguous(memory_format=torch.channels_last) for t in maps]
        self.outputs = [torch.empty_like(t) for t in self.maps[:2]]
        self.gradients = [torch.empty_like(t) for t in self.maps[:3]]
        self.parameter_gradients = [torch.zeros_like(t) for t in self.tensors]
        self.owned = []

        def handles(tensors):
            made = [native.handle(t) for t in tensors]
            self.owned += made
            return made

        def places(tensors):
            return (ctypes.c_void_p * PLACES)(*[h.value for h in handles(tensors)])

        options = (ctypes.c_int32 * 10)(1, 0, 1, 0, 0, 1, 0, 0, precision, 0)
        self.cell = ctypes.c_void_p()
        native.check(native.library.gammanet_cell_pack(places(self.tensors), options, ctypes.byref(self.cell)))
        x, e, i, grad_e, grad_i = handles(self.maps)
        self.forward_arguments = [x, e, i, *handles(self.outputs), ctypes.c_void_p()]
        self.backward_arguments = [x, e, i, grad_e, grad_i, *handles(self.gradients),
                                   places(self.parameter_gradients)]

    def forward(self):
        self.native.check(self.native.library.gammanet_cell_forward(self.cell, *self.forward_arguments))

    def both(self):
        self.forward()
        self.native.check(self.native.library.gammanet_cell_backward(self.cell, *self.backward_arguments))

    def close(self):
        self.native.library.gammanet_cell_free(self.cell)
        self.native.release(self.owned)


def cell_weights(c, k, device, generator):
    weights = {}
    shapes = {"W_inh": (c, c, k, k), "W_exc": (c, c, k, k), "W_gain": (c, 3 * c, 1, 1),
              "W_mix": (c, 3 * c, 1, 1), "b_gain": (c,), "b_mix": (c,),
              "dynamic_params.inhibition_net.0.weight": (2 * c, 3 * c, 1, 1),
              "dynamic_params.inhibition_net.0.bias": (2 * c,),
              "dynamic_params.excitation_net.0.weight": (2 * c, 2 * c, 1, 1),
              "dynamic_params.excitation_net.0.bias": (2 * c,)}
    for name, shape in shapes.items():
        bound = 0.1 if len(shape) == 1 else (0.75 / float(np.prod(shape[1:]))) ** 0.5
        weights["cell." + name] = torch.from_numpy(
            generator.uniform(-bound, bound, shape).astype(np.float32)).to(device)
    return weights


def network_of(weights, dtype=None):
    arrays = {name: value.detach().cpu().numpy() for name, value in weights.items()}
    network = compare_pytorch.Network(arrays, 1).to(next(iter(weights.values())).device)
    return network.to(dtype) if dtype else network


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def time_of(call, device, repeats):
    """The median time of a call in milliseconds."""
    for _ in range(3 if device == "cuda" else 1):
        call()
    times = []
    for _ in range(repeats):
        synchronize(device)
        start = time.perf_counter()
        call()
        synchronize(device)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def peak_memory(call, device):
    """MiB that a call needs at most beyond what was there."""
    if device != "cuda":
        return None
    synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    synchronize(device)
    return (torch.cuda.max_memory_allocated() - before) / 2 ** 20


def relative(actual, expected):
    return float((actual.double() - expected).abs().max() / max(float(expected.abs().max()), 1e-30))


def relative_norm(actual, expected):
    """For gradients: a single one jumps where rounding moves a rectified sum across zero."""
    return float((actual.double() - expected).norm() / max(float(expected.norm()), 1e-30))


def eager_step(function, maps, half=False):
    """Forward alone, and forward with backward, of a cell in PyTorch."""
    x, e, i = (t.detach().clone(memory_format=torch.preserve_format).requires_grad_(True) for t in maps[:3])
    grads = maps[3:]
    autocast = torch.autocast(x.device.type, torch.bfloat16, enabled=half)

    def forward():
        with torch.no_grad(), autocast:
            return function(x, e, i)

    def both():
        with autocast:
            out = function(x, e, i)
        torch.autograd.backward([out[0].to(grads[0].dtype), out[1].to(grads[1].dtype)], list(grads))
        result = x.grad, e.grad, i.grad
        x.grad = e.grad = i.grad = None
        return result

    return forward, both


def visit_cell(native, c, size, k, mode, arguments):
    device = arguments.device
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = mode == "tf32"
    half = mode == "bf16"
    generator = np.random.default_rng(1)
    weights = cell_weights(c, k, device, generator)
    maps = [torch.from_numpy(generator.uniform(low, 1, (1, c, size, size)).astype(np.float32)).to(device)
            for low in (0, 0, 0, -1, -1)]
    row = {"what": f"cell {c}x{size}x{size}, {k}x{k}", "mode": mode}

    # Parity with float64.
    exact = network_of(weights, torch.float64)
    forward, both = eager_step(lambda *t: exact.cell("cell", *t), [t.double() for t in maps])
    expected, expected_grads = forward(), both()
    expected_weights = {name: exact.w("cell." + name).grad for name in PARAMETERS}
    cell = NativeCell(native, weights, maps, 1 if half else 0)
    cell.both()
    synchronize(device)
    row["difference"] = max(relative(a, b) for a, b in zip(cell.outputs, expected))
    row["gradient_difference"] = max(
        [relative_norm(a, b) for a, b in zip(cell.gradients, expected_grads)] +
        [relative_norm(a, expected_weights[n]) for n, a in zip(PARAMETERS, cell.parameter_gradients)])
    del exact, forward, both, expected, expected_grads, expected_weights

    # Speed and memory.
    repeats = arguments.repeats
    row["native"] = time_of(cell.forward, device, repeats)
    row["native_train"] = time_of(cell.both, device, repeats)
    row["native_memory"] = peak_memory(cell.both, device)
    cell.close()
    network = network_of(weights)
    variants = {"contiguous": maps,
                "channels_last": [t.contiguous(memory_format=torch.channels_last) for t in maps]}
    for layout, tensors in variants.items():
        forward, both = eager_step(lambda *t: network.cell("cell", *t), tensors, half)
        row["eager"] = min(row.get("eager", 1e30), time_of(forward, device, repeats))
        train = time_of(both, device, repeats)
        if train < row.get("eager_train", 1e30):
            row["eager_train"] = train
            row["eager_layout"] = layout
            row["eager_memory"] = peak_memory(both, device)
    if arguments.compile:
        try:
            compiled = torch.compile(lambda *t: network.cell("cell", *t))
            forward, both = eager_step(compiled, variants[row["eager_layout"]], half)
            row["compiled"] = time_of(forward, device, repeats)
            row["compiled_train"] = time_of(both, device, repeats)
        except Exception as reason:  # a part of PyTorch that a machine may lack
            print(f"torch.compile: {str(reason).splitlines()[0]}", flush=True)
    return row


def visit_network(mode, train, compiled, arguments, folder):
    """One run of compare_pytorch.py, or None where there is no launcher."""
    out = folder / "network.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "compare_pytorch.py"), "--device", arguments.device,
               "--size", str(arguments.size), "--timesteps", str(arguments.timesteps), "--repeats",
               str(arguments.repeats), "--json", str(out)]
    command += ["--gammanet", arguments.gammanet] if arguments.gammanet else []
    command += ["--tf32"] if mode == "tf32" else ["--precision", "bf16"] if mode == "bf16" else []
    command += (["--train"] if train else []) + (["--compile"] if compiled else [])
    environment = dict(os.environ, GAMMANET_LIBTORCH=str(arguments.libtorch))
    if mode == "float32":
        # LibTorch lets convolutions use TF32 unless it is told otherwise.
        environment["NVIDIA_TF32_OVERRIDE"] = "0"
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    name = f"network {arguments.size}, T {arguments.timesteps}" + (", training" if train else "")
    name += ", torch.compile" if compiled else ""
    print(f"--- {name}, {mode}\n{done.stdout[-1500:]}", flush=True)
    if done.returncode != 0 or not out.exists():
        return None
    return {"what": name, "mode": mode, **json.loads(out.read_text())}


def ratio(row, slow, fast):
    return f"{row[slow] / row[fast]:.2f}" if row.get(slow) and row.get(fast) else "-"


def print_table(rows):
    def number(row, key, form):
        return format(row[key], form) if row.get(key) is not None else "-"

    print("\n| cell | mode | difference | of gradients | native ms | eager / native | compile / native "
          "| training: native ms | eager / native | compile / native | memory MiB | eager's |")
    print("|---" * 12 + "|")
    for row in rows:
        print(f"| {row['what']} | {row['mode']} | {number(row, 'difference', '.1e')} "
              f"| {number(row, 'gradient_difference', '.1e')} | {number(row, 'native', '.2f')} "
              f"| {ratio(row, 'eager', 'native')} | {ratio(row, 'compiled', 'native')} "
              f"| {number(row, 'native_train', '.2f')} | {ratio(row, 'eager_train', 'native_train')} "
              f"| {ratio(row, 'compiled_train', 'native_train')} | {number(row, 'native_memory', '.0f')} "
              f"| {number(row, 'eager_memory', '.0f')} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--gammanet", help="launcher of GammaNet (default: cli/gammanet)")
    parser.add_argument("--build", type=pathlib.Path, help="folder to build native/ in (default: a new one)")
    parser.add_argument("--skip-tests", action="store_true", help="do not run the native tests")
    parser.add_argument("--skip-network", action="store_true", help="cells only")
    parser.add_argument("--cells", type=int, default=len(CELLS), help="how many of the cells")
    parser.add_argument("--shrink", type=int, default=1, help="divide the cells' height and width, for a trial")
    parser.add_argument("--size", type=int, default=320, help="of the network's image")
    parser.add_argument("--timesteps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=hasattr(torch, "compile"))
    parser.add_argument("--json", type=pathlib.Path, help="also write all figures to this file")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("this PyTorch sees no GPU; --device cpu tries the script on the processor")
    if shutil.which("cmake") is None:
        sys.exit("cmake is not found")
    given = os.environ.get("GAMMANET_LIBTORCH")
    own = pathlib.Path(torch.__file__).parent / "lib"
    arguments.libtorch = pathlib.Path(given) if given else own

    print(f"PyTorch {torch.__version__}, LibTorch {arguments.libtorch}")
    if arguments.device == "cuda":
        gpu = torch.cuda.get_device_properties(0)
        print(f"{gpu.name}, {gpu.total_memory / 2 ** 30:.0f} GiB, sm_{gpu.major}{gpu.minor}, CUDA {torch.version.cuda}")
    rows, networks = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = build(arguments.build or pathlib.Path(temporary) / "native", arguments.device)
        tested = None if arguments.skip_tests else run_tests(folder)
        modes = ("float32", "tf32", "bf16") if arguments.device == "cuda" else ("float32",)
        version = tuple(int(part) for part in torch.__version__.split(".")[:2])
        cells = CELLS[:arguments.cells] if version >= (2, 11) else ()
        if cells:
            native = Native(folder, own, arguments.device)
        else:
            print(f"cells are left out: PyTorch {torch.__version__} is older than 2.11", flush=True)
        for c, size, k in cells:
            for mode in modes:
                rows.append(visit_cell(native, c, size // arguments.shrink, k, mode, arguments))
                print(json.dumps(rows[-1]), flush=True)
        if not arguments.skip_network:
            for mode in modes:
                for train in (False, True):
                    for compiled in (False, True) if arguments.compile else (False,):
                        networks.append(visit_network(mode, train, compiled, arguments,
                                                      pathlib.Path(temporary)))
    if rows:
        print_table(rows)
    for row in networks:
        if row:
            print(json.dumps(row))
    if arguments.json:
        arguments.json.write_text(json.dumps({"tests_pass": tested, "cells": rows, "networks": networks}, indent=1))


if __name__ == "__main__":
    main()
