"""Makes the expected values with which CrossCheckTest compares, by other people's programs and by NumPy.

    pip install numpy scipy scikit-learn stimupy pynwb
    python cross_checks.py ../../experiments/src/test/resources/cross_checks.json
    python cross_checks.py --check ../../experiments/src/test/resources/cross_checks.json
    python cross_checks.py --nwb FILE...     # pynwb reads and validates exported recordings

Inputs are in the file, beside what was expected of them. With --check the values are computed again and compared
with those of the file.
"""

import json
import sys
import warnings

import numpy as np

SIDE = 96  # pixels of a stimulus
TOLERANCE = 1e-9  # of values that are computed again: other versions of the libraries may round otherwise


def numbers(array, digits=12):
    """An array as nested lists."""
    return np.round(np.asarray(array, dtype=float), digits).tolist()


# Selectivity, written down again from the papers


def circular_variance(theta, r):
    """Ringach, Shapley and Hawken (2002), equation 1."""
    return 1 - abs(np.sum(r * np.exp(2j * np.deg2rad(theta)))) / np.sum(r)


def selectivity_index(theta, r):
    """(R_preferred - R_orthogonal) / (R_preferred + R_orthogonal), at the largest sample."""
    best = np.argmax(r)
    orthogonal = np.interp(
        (theta[best] + 90) % 180, np.append(theta, 180 + theta[0]), np.append(r, r[0]), period=None
    )
    return (r[best] - orthogonal) / (r[best] + orthogonal)


def selectivity(random):
    theta = np.arange(12) * 15.0
    curves = []
    for _ in range(40):
        kappa = random.uniform(0.1, 8)
        mu = random.uniform(0, 180)
        r = np.exp(kappa * (np.cos(2 * np.deg2rad(theta - mu)) - 1)) + random.uniform(0, 0.5)
        curves.append(np.round(np.maximum(r + random.normal(0, 0.05, 12), 0.001), 9))
    return {
        "orientations": numbers(theta),
        "responses": numbers(curves),
        "circular_variance": numbers([circular_variance(theta, r) for r in curves]),
        "osi": numbers([selectivity_index(theta, r) for r in curves]),
    }


# Comparison of populations, and tests


def centered_kernel_alignment(x, y):
    """Kornblith, Norouzi, Lee and Hinton (2019), by centered kernels."""
    from sklearn.metrics.pairwise import linear_kernel
    from sklearn.preprocessing import KernelCenterer

    k = KernelCenterer().fit_transform(linear_kernel(x))
    m = KernelCenterer().fit_transform(linear_kernel(y))
    return np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m))


def unbiased_alignment(x, y):
    """The estimator of Song et al. (2012) in the place of each product."""

    def product(k, m):
        n = len(k)
        k = k - np.diag(np.diag(k))
        m = m - np.diag(np.diag(m))
        one = np.ones(n)
        a = np.trace(k @ m)
        b = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
        c = 2 / (n - 2) * (one @ k @ m @ one)
        return (a + b - c) / (n * (n - 3))

    k = x @ x.T
    m = y @ y.T
    return product(k, m) / np.sqrt(product(k, k) * product(m, m))


def populations(random):
    from scipy.spatial.distance import pdist
    from scipy.stats import kendalltau, spearmanr
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, cross_val_predict

    source = random.normal(size=(30, 4))
    x = np.float32(source @ random.normal(size=(4, 9)) + random.normal(0, 0.3, (30, 9)))
    y = np.float32(source @ random.normal(size=(4, 6)) + random.normal(0, 0.8, (30, 6)))
    a = np.float64(x)
    b = np.float64(y)
    rdm = [pdist(m, "correlation") for m in (a, b)]
    predictions = cross_val_predict(Ridge(alpha=2.5, tol=1e-12), a, b, cv=KFold(5))
    return {
        "model": numbers(a, 9),
        "recorded": numbers(b, 9),
        "rdm": numbers(rdm[0]),
        "rdm_spearman": spearmanr(*rdm).statistic,
        "rdm_kendall": kendalltau(*rdm).statistic,
        "cka": centered_kernel_alignment(a, b),
        "cka_unbiased": unbiased_alignment(a, b),
        "penalty": 2.5,
        "folds": 5,
        "ridge_predictions": numbers(predictions),
        "ridge_correlation": [np.corrcoef(p, t)[0, 1] for p, t in zip(predictions.T, b.T)],
    }


def tests(random):
    from scipy import stats

    a = np.round(random.normal(0.4, 1, 18), 9)
    b = np.round(random.normal(0, 1, 18), 9)
    p = np.round(random.uniform(0, 1, 15) ** 3, 9)
    ks = stats.ks_2samp(a, b)
    return {
        "a": numbers(a),
        "b": numbers(b),
        "p": numbers(p),
        "wilcoxon": stats.wilcoxon(a, b, method="exact").pvalue,
        "paired_t": stats.ttest_rel(a, b).pvalue,
        "mann_whitney": stats.mannwhitneyu(a, b, method="asymptotic", use_continuity=True).pvalue,
        "kolmogorov_smirnov": ks.statistic,
        "false_discovery": numbers(stats.false_discovery_control(p)),
    }


# Stimuli


def stimuli(random):
    """Gratings and Gabors by stimupy, at places drawn at random.

    stimupy moves all distances by 1e-5 units "to ensure proper behavior", and rounds them to six decimals. In units of
    pixels (ppd = 1) the rounding changes luminance by less than 1e-6, in units of degrees it may not; the shift is
    undone by the phase. It stretches what was sampled to the whole range, so that gratings are chosen whose samples
    reach it. Its rotation is counterclockwise, from vertical stripes.
    """
    from stimupy.components.gaussians import gaussian
    from stimupy.components.waves import sine

    out = []
    for modulation in (0.0, 30.0, 57.3, 90.0, 120.0, 162.7):
        turned = modulation % 90 > 0
        for wavelength, phase, sigma in (
            (12.8, 0.0, None),
            (20.0, 90.0, None),
            (16.0, 33.0 if turned else 0.0, 9.0),
        ):
            wave = sine(
                shape=SIDE,
                ppd=1,
                frequency=1 / wavelength,
                rotation=-modulation,
                phase_shift=phase + 360e-5 / wavelength,
                origin="center",
                distance_metric="oblique",
                period="ignore",
                intensities=(-0.5, 0.5),
            )["img"]
            if sigma:
                wave = wave * gaussian(shape=SIDE, ppd=1, sigma=sigma, origin="center")["img"]
            at = random.integers(0, SIDE, (60, 2))
            out.append(
                {
                    "modulation": modulation,
                    "wavelength": wavelength,
                    "phase": phase,
                    "sigma": sigma,
                    "at": at.tolist(),
                    "luminance": numbers(0.5 + 0.5 * wave[at[:, 0], at[:, 1]]),
                }
            )
    return {"side": SIDE, "contrast": 0.5, "images": out}


def nwb(files):
    """Reads files with pynwb and prints what its validation remarks; the number of remarks."""
    import pynwb

    remarks = 0
    for file in files:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with pynwb.NWBHDF5IO(file, "r") as io:
                read = io.read()
                names = sorted(read.acquisition)
                print(f"{file}: {', '.join(names)}; {len(read.trials)} stimuli")
                errors = pynwb.validate(io=io)
        for remark in [*errors, *(str(w.message) for w in warned)]:
            print(f"  {remark}")
            remarks += 1
    return remarks


def differences(expected, found, where=""):
    """The values that differ between two documents."""
    if isinstance(expected, dict):
        return [d for k in expected for d in differences(expected[k], found[k], f"{where}/{k}")]
    if isinstance(expected, list):
        return [d for i, e in enumerate(expected) for d in differences(e, found[i], f"{where}/{i}")]
    same = expected == found or (
        isinstance(expected, float) and abs(expected - found) <= TOLERANCE * max(1, abs(expected))
    )
    return [] if same else [f"{where}: {expected} in the file, {found} now"]


def values():
    random = np.random.default_rng(20)
    return {
        "selectivity": selectivity(random),
        "populations": populations(random),
        "tests": tests(random),
        "stimuli": stimuli(random),
    }


def main(arguments):
    if arguments[:1] == ["--nwb"]:
        return 1 if nwb(arguments[1:]) else 0
    check = arguments[:1] == ["--check"]
    if len(arguments) != 1 + check:
        sys.exit(__doc__)
    warnings.simplefilter("ignore")
    found = json.loads(json.dumps(values()))
    if not check:
        with open(arguments[0], "w", encoding="utf-8") as file:
            json.dump(found, file, separators=(",", ":"))
            file.write("\n")
        return 0
    with open(arguments[1], encoding="utf-8") as file:
        all_differences = differences(json.load(file), found)
    print("\n".join(all_differences) or "equal")
    return 1 if all_differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
