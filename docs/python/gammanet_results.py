"""Reads what gammanet writes: results of `insilico` and recordings of `record`.

Needs NumPy; pandas for tables as data frames.

    run = Run("insilico_results")
    run["size_tuning"]["suppression_index"]     # a number with its interval
    run.units("size_tuning")                    # a row per unit, population and timestep
    run.figure("size_tuning")                   # the numbers of each figure
    recording = Recording("recording")
    recording["fgru_0_excitatory"].shape        # (images, timesteps, channels)
"""

import csv
import json
from pathlib import Path

import numpy as np


def table(path):
    """A CSV file as a data frame, or without pandas as a list of dictionaries."""
    try:
        import pandas
    except ImportError:
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    return pandas.read_csv(path)


class Run:
    """The folder of a run of `gammanet insilico`; the latest results in it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        files = sorted(self.folder.glob("insilico_results_*.json"))
        if not files:
            raise FileNotFoundError(f"there are no results in {folder}")
        with open(files[-1], encoding="utf-8") as file:
            self.results = json.load(file)
        self.metadata = self.results.pop("metadata")

    def __getitem__(self, experiment):
        return self.results[experiment]

    def __iter__(self):
        return iter(self.results)

    def numbers(self, experiment):
        """Numbers with intervals: name -> (value, low, high, n); None is undefined."""
        return {
            name: (v["value"], v["low"], v["high"], v["n"])
            for name, v in self.results[experiment].items()
            if isinstance(v, dict) and {"value", "low", "high", "n"} <= v.keys()
        }

    def units(self, experiment):
        """A row per unit, population and timestep."""
        return table(self.folder / f"{experiment}_units.csv")

    def figure(self, experiment):
        """The numbers of the figures: panel, series, x, y, interval, n."""
        return table(self.folder / f"{experiment}_figures.csv")

    def controls(self):
        """The numbers of the network and of each control network."""
        return table(self.folder / "controls.csv")

    def responses(self, experiment):
        """With --save-responses: arrays (stimuli, timesteps, channels) by layer and state."""
        found = sorted((self.folder / "responses").glob(f"{experiment}_*.npy"))
        prefix = len(experiment) + 1
        return {f.stem[prefix:]: np.load(f) for f in found if not f.stem.endswith("_stimuli")}

    def stimuli(self, experiment):
        """With --save-responses: the table and the luminance of the stimuli."""
        base = self.folder / "responses" / f"{experiment}_stimuli"
        return table(f"{base}.csv"), np.load(f"{base}.npy")


class Recording:
    """The folder of `gammanet record`."""

    def __init__(self, folder):
        self.folder = Path(folder)
        with open(self.folder / "manifest.json", encoding="utf-8") as file:
            self.manifest = json.load(file)
        self.arrays = {
            Path(entry["file"]).stem: np.load(self.folder / entry["file"])
            for entry in self.manifest["files"]
        }

    def __getitem__(self, name):
        return self.arrays[name]

    def __iter__(self):
        return iter(self.arrays)

    def stimuli(self):
        """The table of the images, and their luminance."""
        return table(self.folder / "stimuli.csv"), np.load(self.folder / "stimuli.npy")
