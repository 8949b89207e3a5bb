"""Puts the numbers of a run of rerun-physiology.sh into docs/insilico.md and docs/opto.md. Needs only Python."""

import json
import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent


def number(value):
    return "n/a" if value is None else f"{value:.3g}"


def interval(i):
    if i["low"] is None:
        return number(i["value"])
    return f"{number(i['value'])} [{number(i['low'])}, {number(i['high'])}], n = {i['n']}"


def is_interval(value):
    return isinstance(value, dict) and {"value", "low", "high", "n"} <= value.keys()


def against(rows):
    return "; ".join(f"{r['group']} {number(r['mean'])}" for r in rows)


def insilico(folder):
    results = json.loads(sorted(folder.glob("insilico_results_*.json"))[-1].read_text(encoding="utf-8"))
    meta = results.pop("metadata")
    steady = meta.get("steady_state", {})
    out = [
        f"Network `{meta['network']['checkpoint']}`, weights {meta['weights_sha256'][:12]}, "
        f"{meta['timesteps']} timesteps, layer `{meta['target_layer']}`, {meta['image_size']}×{meta['image_size']} px, "
        f"run of {meta['timestamp'][:8]}. Under a grating its states "
        + {"steady": "come to rest", "alternates": "alternate", "diverges": "diverge", "moves": "do not come to rest"}
        .get(steady.get("behavior"), "were not followed")
        + f" within {steady.get('timesteps', '?')} timesteps.",
        "",
        "| experiment | number | network [95 %] | mean of controls |",
        "|---|---|---|---|",
    ]
    for key, result in results.items():
        for name, value in result.items():
            if is_interval(value):
                controls = result.get("controls", {}).get(name, [])
                out.append(f"| `{key}` | {name.replace('_', ' ')} | {interval(value)} | {against(controls)} |")
    return "\n".join(out)


def circuit(file):
    cells = json.loads(file.read_text(encoding="utf-8"))["circuit"]
    out = ["| cell | kernel | negative weights | sign consistency (by chance) | asymmetry |", "|---|---|---|---|---|"]
    for cell in cells:
        for kind in ("excitatory", "inhibitory"):
            k = cell[kind]
            out.append(
                f"| `{cell['cell']}` | {kind} | {100 * k['negative']:.0f} % "
                f"| {k['consistency']:.2f} ({k['chance']:.2f}) | {k['asymmetry']:.2f} |"
            )
    return "\n".join(out)


def opto(folder):
    text = (folder / "summary.txt").read_text(encoding="utf-8").rstrip()
    return "```\n" + text + "\n```"


def put(document, name, text):
    path = DOCS / document
    old = path.read_text(encoding="utf-8")
    block = re.compile(rf"(<!-- measured: {name} -->\n).*?(\n<!-- end of measured -->)", re.S)
    if not block.search(old):
        raise SystemExit(f"{path} has no place for {name}")
    path.write_text(block.sub(lambda m: m.group(1) + text + m.group(2), old), encoding="utf-8")


if __name__ == "__main__":
    run = Path(sys.argv[1])
    put("insilico.md", "insilico", insilico(run / "insilico"))
    put("insilico.md", "circuit", circuit(run / "circuit.json"))
    put("opto.md", "opto", opto(run / "opto"))
