#!/usr/bin/env python3
"""Times GammaNet for Java against the same network in PyTorch, in one run.

    python3 benchmarks/compare_pytorch.py --size 320 --timesteps 8 --repeats 3
    python3 benchmarks/compare_pytorch.py --network small --size 128 --batch 4 --train \\
        --compile --channels-last --precision bf16

Both get the same weights (a safetensors file made here from a seed), the same images and the same
number of threads, take turns, so that a noisy machine is noisy for both, and keep the memory that
they free (glibc would give it back and take it again, page by page). Prints each side's median in
wall-clock and in CPU seconds, the ratio, and the largest difference of the logits relative to their
standard deviation; and the floor: the time of the forward pass's multiply-adds at the speed of
LibTorch's fastest 3x3 convolution on this machine, measured in the same run. With --train both
sides time a forward and backward pass instead, and all gradients are compared. A difference beyond
what rounding explains ends the program with an error.

The network is VGG16GammaNetV2, stated here a second time with torch operators only: "default" in the
configuration of config/default.yaml, "small" in that of benchmarks/small.yaml (4 levels, 16 base
channels), "bundled" in that of pretrained/config.yaml. Runs with PyTorch 1.13 and newer; --compile
needs 2.x.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "MALLOC_TRIM_THRESHOLD_" not in os.environ:  # read when a process starts
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 30)
    os.environ["MALLOC_TRIM_THRESHOLD_"] = str((1 << 31) - 1)
    os.execv(sys.executable, [sys.executable] + sys.argv)

import numpy as np
import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Numbers of VGG16's convolutions, block by block.
VGG16 = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
CONFIGS = {"default": None, "small": ROOT / "benchmarks" / "small.yaml",
           "bundled": ROOT / "pretrained" / "config.yaml"}


class Plan:
    """Widths of a network's levels, its blocks as (number, ((layer, inputs, outputs), ...)), and the
    activation of its circuits' parameters."""

    def __init__(self, config):
        base, levels, activation = 64, 5, "softplus"
        if config is not None:
            text = config.read_text()
            base = int(re.search(r"base_channels: (\d+)", text)[1])
            levels = len(re.findall(r"pool\d", text))
            activation = re.search(r"dynamic_param_activation: (\w+)", text)[1]
        self.activation = {"softplus": F.softplus, "sigmoid": torch.sigmoid}[activation]
        self.widths = [base * min(8, 1 << level) for level in range(levels)]
        self.blocks, inputs = [], 3
        for number, (width, layers) in enumerate(zip(self.widths, VGG16), 1):
            convs = []
            for n in layers:
                convs.append((n, inputs, width))
                inputs = width
            self.blocks.append((number, convs))


def parameter_shapes(plan):
    """Every parameter of the network with its shape, in registration order."""
    shapes = {}
    for block, convs in plan.blocks:
        for n, inputs, outputs in convs:
            shapes[f"block{block}_conv.layers.{n}.weight"] = (outputs, inputs, 3, 3)
            shapes[f"block{block}_conv.layers.{n}.bias"] = (outputs,)

    def cell(name, c, k):
        shapes.update({
            f"{name}.W_exc": (c, c, k, k), f"{name}.W_inh": (c, c, k, k),
            f"{name}.W_gain": (c, 3 * c, 1, 1), f"{name}.W_mix": (c, 3 * c, 1, 1),
            f"{name}.b_gain": (c,), f"{name}.b_mix": (c,),
            f"{name}.dynamic_params.inhibition_net.0.weight": (2 * c, 3 * c, 1, 1),
            f"{name}.dynamic_params.inhibition_net.0.bias": (2 * c,),
            f"{name}.dynamic_params.excitation_net.0.weight": (2 * c, 2 * c, 1, 1),
            f"{name}.dynamic_params.excitation_net.0.bias": (2 * c,),
        })

    widths = plan.widths
    for level, c in enumerate(widths):
        cell(f"fgru_{level}", c, 3)
    for level in range(len(widths) - 2, -1, -1):
        shapes[f"td_fgru_{level + 1}_to_{level}.0.weight"] = (widths[level], widths[level + 1], 1, 1)
        shapes[f"td_fgru_{level + 1}_to_{level}.0.bias"] = (widths[level],)
        cell(f"td_fgru_{level}", widths[level], 1)
    for level, c in enumerate(widths):
        shapes[f"align_{level}.projection.weight"] = (c, c, 1, 1)
        shapes[f"align_{level}.projection.bias"] = (c,)
    shapes["output_projection.0.weight"] = (1, widths[0], 1, 1)
    shapes["output_projection.0.bias"] = (1,)
    return shapes


def make_weights(plan, seed):
    """Random weights at gains that keep all states of order one over many timesteps."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in parameter_shapes(plan).items():
        if len(shape) == 1:
            scale = 0.1
        else:
            fan_in = int(np.prod(shape[1:]))
            gain = 1.0
            if "_conv." in name or name.startswith("align"):
                gain = 2.0
            elif "dynamic_params" in name:
                gain = 0.25
            elif name.endswith("W_exc"):
                gain = 0.125
            elif name.startswith("output"):
                gain = 8.0
            scale = (3 * gain / fan_in) ** 0.5
        weights[name] = random.uniform(-scale, scale, shape).astype(np.float32)
    return weights


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for array in tensors.values():
            file.write(array.tobytes())


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(data[8 + size + begin:8 + size + end],
                                          np.float32).reshape(entry["shape"])
    return tensors


def instance_norm(x):
    """As F.instance_norm, whose gradient is wrong for a single sample in channels-last memory
    (PyTorch 2.15: it reads the output's gradient as if that were contiguous)."""
    variance, mean = torch.var_mean(x, (2, 3), unbiased=False, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + 1e-5)


def channel_norm(x):
    """Normalizes each pixel over its channels, without affine parameters."""
    mean = x.mean(1, keepdim=True)
    variance = ((x - mean) ** 2).mean(1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5)


class Network(torch.nn.Module):
    """VGG16GammaNetV2 as the equations have it."""

    def __init__(self, plan, weights, timesteps, channels_last=False, nnpack=False):
        super().__init__()
        self.widths, self.blocks = plan.widths, dict(plan.blocks)
        self.activation = plan.activation
        self.timesteps = timesteps
        self.instance_norm = instance_norm if channels_last else F.instance_norm
        self.conv = self.nnpack if nnpack else F.conv2d
        self.p = torch.nn.ParameterDict(
            {name.replace(".", "/"): torch.nn.Parameter(torch.tensor(value))
             for name, value in weights.items()})

    def w(self, name):
        return self.p[name.replace(".", "/")]

    @staticmethod
    def nnpack(x, weight, bias=None, padding=0):
        """3x3 convolutions by NNPACK's Winograd."""
        if weight.shape[-1] != 3:
            return F.conv2d(x, weight, bias, padding=padding)
        return torch._nnpack_spatial_convolution(x, weight, bias, padding, 1)

    def block(self, number, x):
        for n, _, _ in self.blocks[number]:
            name = f"block{number}_conv.layers.{n}"
            x = F.relu(self.conv(x, self.w(name + ".weight"), self.w(name + ".bias"), padding=1))
        return x

    def cell(self, name, x, e, i):
        w_inh, w_exc = self.w(name + ".W_inh"), self.w(name + ".W_exc")
        padding = w_inh.shape[-1] // 2
        c = x.shape[1]
        c1 = F.relu(self.conv(e, w_inh, padding=padding))
        net = name + ".dynamic_params.inhibition_net.0"
        dynamic = self.activation(F.conv2d(torch.cat((i, c1, x), 1),
                                           self.w(net + ".weight"), self.w(net + ".bias")))
        alpha, mu = dynamic[:, :c], dynamic[:, c:]
        s = F.relu(x - (alpha * i + mu) * c1)
        g1 = torch.sigmoid(F.conv2d(channel_norm(torch.cat((e, i, x), 1)), self.w(name + ".W_gain"))
                           + self.w(name + ".b_gain").view(1, -1, 1, 1))
        i = (1 - g1) * i + g1 * s
        c2 = F.relu(self.conv(i, w_exc, padding=padding))
        net = name + ".dynamic_params.excitation_net.0"
        dynamic = self.activation(F.conv2d(torch.cat((i, e), 1),
                                           self.w(net + ".weight"), self.w(net + ".bias")))
        kappa, omega = dynamic[:, :c], dynamic[:, c:]
        q = omega * c2 + kappa
        g2 = torch.sigmoid(F.conv2d(channel_norm(torch.cat((e, q, i), 1)), self.w(name + ".W_mix"))
                           + self.w(name + ".b_mix").view(1, -1, 1, 1))
        return (1 - g2) * e + g2 * q, i

    def forward(self, image):
        levels = len(self.widths)
        sizes = [(image.shape[2] >> l, image.shape[3] >> l) for l in range(levels)]

        def zeros():
            return [image.new_zeros(image.shape[0], self.widths[l], *sizes[l]) for l in range(levels)]

        e, i, te, ti = zeros(), zeros(), zeros(), zeros()
        x0 = self.block(1, image)
        for _ in range(self.timesteps):
            for l in range(levels):
                x = x0 if l == 0 else self.block(l + 1, pooled)
                e[l], i[l] = self.cell(f"fgru_{l}", x, e[l], i[l])
                if l < levels - 1:
                    name = f"align_{l}.projection"
                    aligned = F.relu(F.conv2d(e[l], self.w(name + ".weight"), self.w(name + ".bias")))
                    pooled = F.max_pool2d(aligned, 2)
            for l in range(levels - 2, -1, -1):
                name = f"td_fgru_{l + 1}_to_{l}.0"
                d = F.conv2d(e[l + 1], self.w(name + ".weight"), self.w(name + ".bias"))
                d = F.elu(self.instance_norm(d))
                d = F.interpolate(d, size=sizes[l], mode="bilinear", align_corners=False)
                te[l], ti[l] = self.cell(f"td_fgru_{l}", d, te[l], ti[l])
                e[l] = e[l] + te[l]
        return F.conv2d(te[0], self.w("output_projection.0.weight"), self.w("output_projection.0.bias"))


class Java:
    """`gammanet passes`: one pass for each line sent, so that both sides can take turns."""

    def __init__(self, arguments, weights, image, folder):
        self.output, self.gradients = folder / "java.npy", folder / "gradients.safetensors"
        command = [arguments.gammanet or str(ROOT / "cli" / "gammanet"), "passes",
                   "--checkpoint", str(weights), "--input", str(image), "--write", str(self.output),
                   "--timesteps", str(arguments.timesteps), "--threads", str(arguments.threads),
                   "--device", arguments.device, "--precision", arguments.precision]
        if CONFIGS[arguments.network] is not None:
            command += ["--config", str(CONFIGS[arguments.network])]
        if arguments.train:
            command += ["--train", "--write-gradients", str(self.gradients)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, order="run"):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("gammanet passes stopped; its message is above")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit("gammanet passes failed; its message is above")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="default", choices=CONFIGS)
    parser.add_argument("--size", type=int, default=320, help="height and width of the image")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--timesteps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=1, help="passes of each that do not count")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="float32", choices=("float32", "bf16"),
                        help="of the Java side; PyTorch uses autocast for bf16")
    parser.add_argument("--tf32", action="store_true", help="let PyTorch use TF32 on CUDA")
    parser.add_argument("--compile", action="store_true", help="torch.compile the PyTorch side")
    parser.add_argument("--channels-last", action="store_true",
                        help="channels-last memory on the PyTorch side (ours always is)")
    parser.add_argument("--nnpack", action="store_true",
                        help="3x3 convolutions of the PyTorch side by NNPACK's Winograd")
    parser.add_argument("--train", action="store_true", help="forward and backward")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gammanet", help="launcher to use (default: cli/gammanet)")
    parser.add_argument("--json", help="also write the figures to this file")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.backends.cuda.matmul.allow_tf32 = arguments.tf32
    torch.backends.cudnn.allow_tf32 = arguments.tf32
    if arguments.nnpack and not torch._nnpack_available():  # the question also initializes it
        sys.exit("this PyTorch cannot use NNPACK on this processor")
    plan = Plan(CONFIGS[arguments.network])
    weights = make_weights(plan, arguments.seed)
    shape = (arguments.batch, 3, arguments.size, arguments.size)
    image = np.random.default_rng(arguments.seed + 1).uniform(-2, 2, shape).astype(np.float32)
    network = Network(plan, weights, arguments.timesteps, arguments.channels_last,
                      arguments.nnpack).to(arguments.device)
    x = torch.from_numpy(image).to(arguments.device)
    if arguments.channels_last:
        network = network.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    eager = network
    if arguments.compile:
        network = torch.compile(network)

    def synchronize():
        if arguments.device.startswith("cuda"):
            torch.cuda.synchronize()

    def torch_pass():
        half = (torch.autocast(arguments.device.split(":")[0], torch.bfloat16)
                if arguments.precision == "bf16" else contextlib.nullcontext())
        synchronize()
        start, cpu = time.perf_counter(), time.process_time()
        if arguments.train:
            eager.zero_grad()
            with half:
                out = network(x)
            out.float().mean().backward()
        else:
            with torch.no_grad(), half:
                out = network(x)
        synchronize()
        return (time.perf_counter() - start, time.process_time() - cpu,
                out.detach().float().cpu().numpy())

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_safetensors(folder / "weights.safetensors", weights)
        np.save(folder / "image.npy", image)
        java = Java(arguments, folder / "weights.safetensors", folder / "image.npy", folder)
        for _ in range(arguments.warmup):
            java.run()
            torch_pass()
        ours, theirs, our_cpu, their_cpu = [], [], [], []
        for _ in range(arguments.repeats):
            last = java.run()
            ours.append(last["seconds"])
            our_cpu.append(last["cpu_seconds"])
            seconds, cpu, expected = torch_pass()
            theirs.append(seconds)
            their_cpu.append(cpu)
        floor = java.run("floor")["floor_seconds"]
        java.close()
        found = np.load(folder / "java.npy")
        difference = float(np.abs(found - expected).max())
        gradients = read_safetensors(java.gradients) if arguments.train else {}
    spread = float(expected.std())
    result = {
        "network": arguments.network, "size": arguments.size, "batch": arguments.batch, "timesteps": arguments.timesteps,
        "threads": arguments.threads, "device": arguments.device, "precision": arguments.precision,
        "train": arguments.train, "compiled": arguments.compile,
        "channels_last": arguments.channels_last, "nnpack": arguments.nnpack,
        "torch": torch.__version__,
        "java_seconds": statistics.median(ours), "torch_seconds": statistics.median(theirs),
        "ratio": statistics.median(theirs) / statistics.median(ours),
        "java_cpu_seconds": statistics.median(our_cpu),
        "torch_cpu_seconds": statistics.median(their_cpu),
        "cpu_ratio": statistics.median(their_cpu) / statistics.median(our_cpu),
        "floor_seconds": floor, "java_peak_rss_mb": last.get("peak_rss_mb"),
        "max_difference": difference, "max_difference_over_std": difference / spread,
    }
    # The backward pass has twice the multiply-adds of the forward pass.
    result["java_over_floor"] = result["java_seconds"] / floor / (3 if arguments.train else 1)
    if arguments.train:
        square = total = 0.0
        for name, parameter in eager.p.items():
            if parameter.grad is not None:
                theirs_of = parameter.grad.double().cpu().numpy()
                ours_of = gradients[name.replace("/", ".")].astype(np.float64)
                square += float(((ours_of - theirs_of) ** 2).sum())
                total += float((theirs_of ** 2).sum())
        result["gradient_norm"] = total ** 0.5
        result["gradient_difference_over_norm"] = (square / total) ** 0.5
    for key, value in result.items():
        print(f"{key:26} {value:.6g}" if isinstance(value, float) else f"{key:26} {value}")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(result, file, indent=2)
    # A rounding turns rectified sums near zero on or off, each with its whole gradient, and a random
    # network amplifies roundings from timestep to timestep.
    half = arguments.precision == "bf16"
    wrong = []
    if not half and difference > 1e-2 * spread:
        wrong.append("logits")
    if half and np.corrcoef(found.ravel(), expected.ravel())[0, 1] < 0.9:
        wrong.append("logits")
    if result.get("gradient_difference_over_norm", 0) > (0.7 if half else 0.05):
        wrong.append("gradients")
    if wrong:
        sys.exit(f"the two sides differ in their {' and '.join(wrong)} by more than rounding")


if __name__ == "__main__":
    main()
