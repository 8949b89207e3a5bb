"""Puts the numbers of a run of rerun-physiology.sh into docs/*.md. Needs only Python."""

import json
import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent


def number(value):
    return "n/a" if value is None else f"{value:.3g}"


def interval(i):
    if i["low"] is None:
        return f"{number(i['value'])}, n = {i['n']}"
    return f"{number(i['value'])} [{number(i['low'])}, {number(i['high'])}], n = {i['n']}"


def is_interval(value):
    return isinstance(value, dict) and {"value", "low", "high", "n"} <= value.keys()


def difference(row):
    if row["low"] is None:
        return number(row["difference"])
    return f"{number(row['difference'])} [{number(row['low'])}, {number(row['high'])}]"


def groups(results):
    """Groups of controls with their numbers of networks, untrained ones first."""
    found = {}
    for result in results.values():
        for rows in result.get("controls", {}).values():
            for row in rows:
                found[row["group"]] = max(row["networks"], found.get(row["group"], 0))
    return dict(sorted(found.items(), key=lambda g: (g[0] not in ("random", "shuffled"), g[0])))


def spaced(name):
    return re.sub(r"\bat(\d)", r"at \1", name.replace("_", " "))


def excludes_0(row):
    return row["low"] is not None and (row["low"] > 0 or row["high"] < 0)


def verdict(result):
    """Where the primary number lies beside those of untrained networks; None where it has no value."""
    primary = result["primary"]
    value = result.get(primary)
    if not value or value["value"] is None:
        return None
    rows = result.get("controls", {}).get(primary, [])
    null = [r for r in rows if r["group"] in ("random", "shuffled") and r["low"] is not None]
    if not null:
        return "too few controls"
    if all(excludes_0(r) for r in null) and len({r["difference"] > 0 for r in null}) == 1:
        return "above them" if null[0]["difference"] > 0 else "below them"
    return "as theirs"


def verdicts(results):
    """Which primary numbers differ from those of untrained networks."""
    there, same, unknown = [], [], []
    for key, result in results.items():
        if not result.get("primary"):
            continue
        words = f"`{key}` ({spaced(result['primary'])})"
        found = verdict(result)
        if found is None:
            unknown.append(words)
        elif found in ("as theirs", "too few controls"):
            same.append(words)
        else:
            there.append(f"{words}, {found}")
    return [
        "* **Differs from untrained and from shuffled networks** (both intervals of the difference exclude 0): "
        + ("; ".join(there) or "nothing")
        + ".",
        "* **Does not**, or cannot be told from so few of them: " + ("; ".join(same) or "nothing") + ".",
        "* **Not measurable in this network**: " + ("; ".join(unknown) or "nothing") + ".",
    ]


def numbers(result):
    """The numbers with intervals of an experiment, by name."""
    return {n: v for n, v in result.items() if is_interval(v) and v["value"] is not None}


def read(folder):
    results = json.loads(sorted(folder.glob("insilico_results_*.json"))[-1].read_text(encoding="utf-8"))
    return results.pop("metadata"), results


def conditions(meta):
    return f"{meta['timesteps']} timesteps, layer `{meta['target_layer']}`, {meta['image_size']}×{meta['image_size']} px"


def counts(controls):
    return ", ".join(f"{n} {group}" for group, n in controls.items()) or "none"


def insilico(folder):
    meta, results = read(folder)
    steady = meta.get("steady_state", {})
    controls = groups(results)
    shown = sum(r.get("stimuli", 0) for r in results.values())
    seconds = sum(r.get("seconds", 0) for r in results.values())
    out = [
        f"Network `{Path(meta['network']['checkpoint']).name}`, weights {meta['weights_sha256'][:12]}, "
        f"{conditions(meta)}, run of {date(meta['timestamp'])}; {shown:,} stimuli in {seconds / 60:.1f} minutes for the "
        f"network alone; controls: {counts(controls)}. Under a grating its states "
        + {"steady": "come to rest", "alternates": "alternate", "diverges": "diverge", "moves": "do not come to rest"}
        .get(steady.get("behavior"), "were not followed")
        + (f" within {steady['timesteps']} timesteps." if steady else "."),
        "",
        *verdicts(results),
        "",
        "Primary numbers are bold; differences are those to the mean of a group of controls.",
        "",
        "| experiment | number | network [95 %] |" + "".join(f" minus {g} |" for g in controls),
        "|---|---|---|" + "---|" * len(controls),
    ]
    for key, result in results.items():
        for name, value in numbers(result).items():
            rows = {r["group"]: r for r in result.get("controls", {}).get(name, [])}
            words = spaced(name)
            out.append(
                f"| `{key}` | {f'**{words}**' if name == result.get('primary') else words} | {interval(value)} |"
                + "".join(f" {difference(rows[g]) if g in rows else ''} |" for g in controls)
            )
    warnings = [
        f"* `{key}`: {w.rstrip()}" for key, r in results.items() for w in r.get("report", {}).get("warnings", [])
    ]
    return "\n".join(out + (["", "What the report warns of:", "", *warnings] if warnings else []))


def effects(full, bundled):
    """The primary numbers of two networks, each beside untrained networks of its own plan."""
    runs = [read(full), read(bundled)]
    about = " and ".join(
        f"`{Path(meta['network']['checkpoint']).name}`, weights {meta['weights_sha256'][:12]}, run of {date(meta['timestamp'])}"
        for meta, _ in runs
    )
    meta = runs[0][0]
    out = [
        f"Networks {about}; {conditions(meta)}.",
        "",
        "| experiment | number | full [95 %] | beside untrained | bundled [95 %] | beside untrained |",
        "|---|---|---|---|---|---|",
    ]
    for key, result in runs[0][1].items():
        if result.get("primary"):
            cells = [f"`{key}`", spaced(result["primary"])]
            for _, results in runs:
                found = results.get(key, {})
                where = verdict(found) if found else None
                cells += ["", "not measurable"] if where is None else [interval(found[found["primary"]]), where]
            out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def sample(folder, dale):
    """The primary numbers of several networks with inference over networks, and of the one with Dale's principle beside."""
    found = json.loads((folder / "networks.json").read_text(encoding="utf-8"))
    estimates = {(e["experiment"], e["quantity"]): e for e in found["estimates"] if not e["per_unit"]}
    meta, first = read(folder / "networks" / found["networks"][0])
    controls = groups(first)
    _, other = read(dale)
    out = [
        f"Networks {', '.join(f'`{n}`' for n in found['networks'])}; {conditions(meta)}, run of {date(meta['timestamp'])}. "
        f"Differences are those of each network to the mean of each group of its own controls ({counts(controls)}).",
        "",
        "| experiment | number | mean over networks [95 %] | between networks |"
        + "".join(f" minus {g} |" for g in controls)
        + " with Dale's principle |",
        "|---|---|---|---|" + "---|" * len(controls) + "---|",
    ]
    for (experiment, name), estimate in estimates.items():
        if not estimate["primary"] or estimate["mean"]["value"] is None:
            continue
        minus = [estimates.get((experiment, f"{name}_minus_{g.replace(' ', '_')}")) for g in controls]
        one = other.get(experiment, {}).get(name)
        out.append(
            f"| `{experiment}` | {spaced(name)} | {interval(estimate['mean'])} | {number(estimate['deviation'])} |"
            + "".join(f" {interval(m['mean']) if m else ''} |" for m in minus)
            + f" {interval(one) if one and one['value'] is not None else 'not measurable'} |"
        )
    return "\n".join(out)


def date(timestamp):
    return f"{timestamp[:4]}-{timestamp[4:6]}-{timestamp[6:8]}"


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
    if (run / "sample").is_dir():
        put("insilico.md", "sample", sample(run / "sample", run / "dale"))
    if (run / "full").is_dir():
        put("full-network.md", "effects", effects(run / "full", run / "insilico"))
    if (run / "full-opto" / "summary.txt").exists():
        put("full-network.md", "opto", opto(run / "full-opto"))
