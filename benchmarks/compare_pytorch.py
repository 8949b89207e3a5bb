#!/usr/bin/env python3
"""Times GammaNet for Java against the same network in PyTorch, in one run.

    python3 benchmarks/compare_pytorch.py --size 320 --timesteps 8 --repeats 3

Both get the same weights (a safetensors file made here from a seed), the same image and the same
number of threads, and take turns, so that a noisy machine is noisy for both. Prints each side's
median, the ratio, and the largest difference of the logits relative to their standard deviation;
and the floor: the time of the forward pass's multiply-adds at the speed of LibTorch's fastest 3x3
convolution on this machine, measured in the same run.

The network is VGG16GammaNetV2 in the configuration of config/default.yaml, stated here a second
time with torch operators only. Runs with PyTorch 1.13 and newer; --compile needs 2.x. With --train
both sides time a forward and backward pass instead, and the gradients' norm is compared.
"""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
import torch.nn.functional as F

WIDTHS = (64, 128, 256, 512, 512)
BLOCKS = (
    (1, ((0, 3, 64), (2, 64, 64))),
    (2, ((5, 64, 128), (7, 128, 128))),
    (3, ((10, 128, 256), (12, 256, 256), (14, 256, 256))),
    (4, ((17, 256, 512), (19, 512, 512), (21, 512, 512))),
    (5, ((24, 512, 512), (26, 512, 512), (28, 512, 512))),
)


def parameter_shapes():
    """Every parameter of the network with its shape, in registration order."""
    shapes = {}
    for block, convs in BLOCKS:
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

    for level, c in enumerate(WIDTHS):
        cell(f"fgru_{level}", c, 3)
    for level in (3, 2, 1, 0):
        shapes[f"td_fgru_{level + 1}_to_{level}.0.weight"] = (WIDTHS[level], WIDTHS[level + 1], 1, 1)
        shapes[f"td_fgru_{level + 1}_to_{level}.0.bias"] = (WIDTHS[level],)
        cell(f"td_fgru_{level}", WIDTHS[level], 1)
    for level, c in enumerate(WIDTHS):
        shapes[f"align_{level}.projection.weight"] = (c, c, 1, 1)
        shapes[f"align_{level}.projection.bias"] = (c,)
    shapes["output_projection.0.weight"] = (1, 64, 1, 1)
    shapes["output_projection.0.bias"] = (1,)
    return shapes


def make_weights(seed):
    """Random weights at gains that keep all states of order one over many timesteps."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in parameter_shapes().items():
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


def channel_norm(x):
    """Normalizes each pixel over its channels, without affine parameters."""
    mean = x.mean(1, keepdim=True)
    variance = ((x - mean) ** 2).mean(1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5)


class Network(torch.nn.Module):
    """VGG16GammaNetV2, default configuration, as the equations have it."""

    def __init__(self, weights, timesteps):
        super().__init__()
        self.timesteps = timesteps
        self.p = torch.nn.ParameterDict(
            {name.replace(".", "/"): torch.nn.Parameter(torch.from_numpy(value.copy()))
             for name, value in weights.items()})

    def w(self, name):
        return self.p[name.replace(".", "/")]

    def block(self, number, x):
        for n, _, _ in dict(BLOCKS)[number]:
            name = f"block{number}_conv.layers.{n}"
            x = F.relu(F.conv2d(x, self.w(name + ".weight"), self.w(name + ".bias"), padding=1))
        return x

    def cell(self, name, x, e, i):
        w_inh, w_exc = self.w(name + ".W_inh"), self.w(name + ".W_exc")
        padding = w_inh.shape[-1] // 2
        c = x.shape[1]
        c1 = F.relu(F.conv2d(e, w_inh, padding=padding))
        net = name + ".dynamic_params.inhibition_net.0"
        dynamic = F.softplus(F.conv2d(torch.cat((i, c1, x), 1),
                                      self.w(net + ".weight"), self.w(net + ".bias")))
        alpha, mu = dynamic[:, :c], dynamic[:, c:]
        s = F.relu(x - (alpha * i + mu) * c1)
        g1 = torch.sigmoid(F.conv2d(channel_norm(torch.cat((e, i, x), 1)), self.w(name + ".W_gain"))
                           + self.w(name + ".b_gain").view(1, -1, 1, 1))
        i = (1 - g1) * i + g1 * s
        c2 = F.relu(F.conv2d(i, w_exc, padding=padding))
        net = name + ".dynamic_params.excitation_net.0"
        dynamic = F.softplus(F.conv2d(torch.cat((i, e), 1),
                                      self.w(net + ".weight"), self.w(net + ".bias")))
        kappa, omega = dynamic[:, :c], dynamic[:, c:]
        q = omega * c2 + kappa
        g2 = torch.sigmoid(F.conv2d(channel_norm(torch.cat((e, q, i), 1)), self.w(name + ".W_mix"))
                           + self.w(name + ".b_mix").view(1, -1, 1, 1))
        return (1 - g2) * e + g2 * q, i

    def forward(self, image):
        levels = len(WIDTHS)
        sizes = [(image.shape[2] >> l, image.shape[3] >> l) for l in range(levels)]

        def zeros():
            return [image.new_zeros(image.shape[0], WIDTHS[l], *sizes[l]) for l in range(levels)]

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
                d = F.elu(F.instance_norm(d, eps=1e-5))
                d = F.interpolate(d, size=sizes[l], mode="bilinear", align_corners=False)
                te[l], ti[l] = self.cell(f"td_fgru_{l}", d, te[l], ti[l])
                e[l] = e[l] + te[l]
        return F.conv2d(te[0], self.w("output_projection.0.weight"), self.w("output_projection.0.bias"))


class Java:
    """`gammanet passes`: one pass for each line sent, so that both sides can take turns."""

    def __init__(self, arguments, weights, image, folder):
        root = pathlib.Path(__file__).resolve().parent.parent
        self.output = folder / "java.npy"
        command = [arguments.gammanet or str(root / "cli" / "gammanet"), "passes",
                   "--checkpoint", str(weights), "--input", str(image), "--write", str(self.output),
                   "--timesteps", str(arguments.timesteps), "--threads", str(arguments.threads),
                   "--device", arguments.device, "--precision", arguments.precision]
        if arguments.train:
            command.append("--train")
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
    parser.add_argument("--train", action="store_true", help="forward and backward")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gammanet", help="launcher to use (default: cli/gammanet)")
    parser.add_argument("--json", help="also write the figures to this file")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.backends.cuda.matmul.allow_tf32 = arguments.tf32
    torch.backends.cudnn.allow_tf32 = arguments.tf32
    weights = make_weights(arguments.seed)
    shape = (arguments.batch, 3, arguments.size, arguments.size)
    image = np.random.default_rng(arguments.seed + 1).uniform(-2, 2, shape).astype(np.float32)
    network = Network(weights, arguments.timesteps).to(arguments.device)
    eager = network
    if arguments.compile:
        network = torch.compile(network)
    x = torch.from_numpy(image).to(arguments.device)

    def synchronize():
        if arguments.device.startswith("cuda"):
            torch.cuda.synchronize()

    def torch_pass():
        half = (torch.autocast(arguments.device.split(":")[0], torch.bfloat16)
                if arguments.precision == "bf16" else contextlib.nullcontext())
        synchronize()
        start = time.perf_counter()
        if arguments.train:
            eager.zero_grad()
            with half:
                out = network(x)
            out.float().mean().backward()
        else:
            with torch.no_grad(), half:
                out = network(x)
        synchronize()
        return time.perf_counter() - start, out.detach().float().cpu().numpy()

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_safetensors(folder / "weights.safetensors", weights)
        np.save(folder / "image.npy", image)
        java = Java(arguments, folder / "weights.safetensors", folder / "image.npy", folder)
        for _ in range(arguments.warmup):
            java.run()
            torch_pass()
        ours, theirs, last = [], [], {}
        for _ in range(arguments.repeats):
            last = java.run()
            ours.append(last["seconds"])
            seconds, expected = torch_pass()
            theirs.append(seconds)
        floor = java.run("floor")["floor_seconds"]
        java.close()
        difference = float(np.abs(np.load(folder / "java.npy") - expected).max())
    spread = float(expected.std())
    result = {
        "size": arguments.size, "batch": arguments.batch, "timesteps": arguments.timesteps,
        "threads": arguments.threads, "device": arguments.device, "precision": arguments.precision,
        "train": arguments.train, "compiled": arguments.compile, "torch": torch.__version__,
        "java_seconds": statistics.median(ours), "torch_seconds": statistics.median(theirs),
        "ratio": statistics.median(theirs) / statistics.median(ours),
        "floor_seconds": floor,
        "max_difference": difference, "max_difference_over_std": difference / spread,
    }
    if not arguments.train:
        result["java_over_floor"] = result["java_seconds"] / floor
    else:
        norm = float(sum((p.grad.double() ** 2).sum() for p in eager.parameters()
                         if p.grad is not None) ** 0.5)
        result["gradient_norm_difference"] = abs(last["gradient_norm"] - norm) / norm
    for key, value in result.items():
        print(f"{key:26} {value:.6g}" if isinstance(value, float) else f"{key:26} {value}")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(result, file, indent=2)


if __name__ == "__main__":
    main()
