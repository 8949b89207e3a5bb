#!/usr/bin/env python3
"""Turns JMH's JSON into a Markdown table with ratios.

    benchmarks/run -rf json -rff cell.json CellBenchmark
    benchmarks/table.py cell.json --baseline composed

One line for each set of parameters, one column for each benchmark: mean and the half width of its
99.9 % interval, and how many times faster than the baseline it is. With --slope NAME it also fits
time ~ NAME^exponent (for size: pixels^exponent) over the lines.
"""
import argparse
import json
import math


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--baseline", help="benchmark that the ratios are of")
    parser.add_argument("--slope", help="parameter to fit an exponent over")
    arguments = parser.parse_args()
    rows, names, unit = {}, [], ""
    for file in arguments.files:
        with open(file) as stream:
            for entry in json.load(stream):
                name = entry["benchmark"].rsplit(".", 1)[1]
                metric = entry["primaryMetric"]
                unit = metric["scoreUnit"].split("/")[0]
                if name not in names:
                    names.append(name)
                key = tuple(sorted(entry.get("params", {}).items()))
                error = metric["scoreError"]
                rows.setdefault(key, {})[name] = (
                    metric["score"], error if error != "NaN" else math.nan)
    print(f"| {unit} | " + " | ".join(names) + " |")
    print("|---" * (1 + len(names)) + "|")
    for key, row in rows.items():
        cells = []
        for name in names:
            if name not in row:
                cells.append("")
                continue
            mean, error = row[name]
            digits = max(0, 2 - int(math.floor(math.log10(mean))))
            text = f"{mean:.{digits}f} ± {error:.{digits}f}"
            base = row.get(arguments.baseline)
            if base and name != arguments.baseline:
                text += f" ({base[0] / mean:.2f}×)"
            cells.append(text)
        print("| " + ", ".join(f"{k}={v}" for k, v in key) + " | " + " | ".join(cells) + " |")
    if arguments.slope:
        for name in names:
            points = [(float(dict(key)[arguments.slope]), row[name][0])
                      for key, row in rows.items() if name in row and arguments.slope in dict(key)]
            if len(points) > 1:
                power = 2 if arguments.slope == "size" else 1
                xs = [power * math.log(x) for x, _ in points]
                ys = [math.log(y) for _, y in points]
                mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
                slope = (sum((x - mx) * (y - my) for x, y in zip(xs, ys))
                         / sum((x - mx) ** 2 for x in xs))
                print(f"\n{name}: time ~ {arguments.slope}"
                      f"{'² (pixels)' if power == 2 else ''}, exponent {slope:.2f}")


if __name__ == "__main__":
    main()
