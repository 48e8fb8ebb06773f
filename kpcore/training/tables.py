"""The papers' tables of ablations and baselines, each as rows that differ in one thing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kpcore.training.study import Column, Row, Schedule, Size, Study

_MAFL = {"landmarks": ("train=mafl-train", "test=mafl-test")}

# -- DLP, table 2 ---------------------------------------------------------------------------------
_DLP_ERROR = "landmark error, %"
_DLP_TABLE = {
    ("constant", "standard"): 3.18,
    ("constant", "chamfer"): 3.07,
    ("random", "standard"): 3.39,
    ("random", "chamfer"): 2.99,
    ("ssm", "standard"): 3.24,
    ("ssm", "chamfer"): 2.65,
}
_DLP = Study(
    "DLP Masked: where proposals come from, and how particles are compared with them",
    "DLP table 2",
    (
        Column(_DLP_ERROR, "landmarks", "error"),
        Column("PSNR, dB", "locality", "psnr_db"),
        Column("change near by elsewhere", "locality", "ratio"),
    ),
    tuple(
        Row(
            f"{prior}-{kl}",
            "dlp-masked",
            {"small": "tiny", "paper": "celeba-30"},
            (f"prior={prior}", f"kl={kl}"),
            paper={_DLP_ERROR: error},
        )
        for (prior, kl), error in _DLP_TABLE.items()
    ),
    {
        "small": Schedule(
            4_000,
            "cartoon-faces",
            pool=6_000,
            batch=8,
            overrides=(
                "encoder_channels=(8,16)",
                "particles=10",
                "prior_kept=10",
                "features=6",
            ),
        ),
        "paper": Schedule(254_300, overrides=("prior_kept=30",), options=_MAFL),
    },
    "SSM proposes by spatial soft-max over patches. Faces: percent of the distance of the eyes, "
    "regression without bias. The standard KL pairs particles with as many proposals, so all rows "
    "have as many.",
)

# -- Keypoint Pyramids, tables 1 and 2 ------------------------------------------------------------
_LEVELS = ("level 1", "level 2", "all keypoints")
_RMSE = {level: f"rmse of {level}, %" for level in _LEVELS}
_ACTION = {level: f"action from {level}, %" for level in _LEVELS}


def _pyramid(
    name: str, rmse: tuple[float, ...], *changes: str, action: tuple[float, ...] = ()
) -> Row:
    paper = dict(zip(_RMSE.values(), rmse, strict=True))
    paper |= dict(zip(_ACTION.values(), action, strict=False))
    return Row(
        name, "keypoint-pyramids", {"small": "small", "paper": "default"}, changes, paper=paper
    )


def _flat(family: str, count: int, rmse: float, action: float | None = None) -> Row:
    level = {10: "level 1", 20: "level 2"}.get(count, "all keypoints")
    facts = {
        _RMSE[level]: "rmse_percent.all keypoints",
        _ACTION[level]: "percent.all keypoints",
    }
    paper = {_RMSE[level]: rmse} | ({} if action is None else {_ACTION[level]: action})
    presets: Mapping[Size, str] = {"small": f"small-{count}", "paper": f"table-{count}"}
    return Row(f"{family}-{count}", family, presets, facts=facts, paper=paper)


_PYRAMIDS = Study(
    "Keypoint Pyramids beside flat keypoints, and without each of their parts",
    "Keypoint Pyramids tables 1 and 2",
    (
        *(Column(title, "pose", f"rmse_percent.{level}") for level, title in _RMSE.items()),
        *(Column(title, "actions", f"percent.{level}") for level, title in _ACTION.items()),
    ),
    (
        _pyramid("pyramids", (52.81, 43.97, 43.30), action=(18.2, 19.3, 21.8)),
        _flat("keynet", 30, 46.71, 17.9),
        _flat("transporter", 30, 47.45, 17.7),
        _flat("keynet", 10, 56.51),
        _flat("transporter", 10, 50.15),
        _flat("keynet", 20, 53.28),
        _flat("transporter", 20, 45.25),
        _pyramid("pyramids-no-reconstruction", (49.09, 46.73, 45.23), "combined=none"),
        _pyramid("pyramids-no-transport", (50.52, 46.29, 45.85), "levelwise=none"),
        _pyramid("pyramids-no-spring", (49.27, 48.21, 45.28), "spring=0.0"),
        _pyramid("pyramids-all-transport", (54.72, 50.07, 49.53), "combined=transport"),
        _pyramid("pyramids-all-reconstruction", (50.83, 48.15, 46.93), "levelwise=points"),
        _pyramid("pyramids-unconditioned", (49.37, 44.73, 43.75), "conditioned=false"),
    ),
    {
        "small": Schedule(1_800, "stick-figures", pool=14_000, options={"actions": ("clips=154",)}),
        "paper": Schedule(200_000, "stick-figures"),
    },
    "rmse: percent of the picture's edge, joints regressed on half of the videos of people never "
    "trained on, measured on the other half; the paper's unit is not stated. Its action has a "
    "chance of 9.1 %, ours too.",
)

# -- TUSK, tables 4 to 6 --------------------------------------------------------------------------
_FOUND, _TOLD, _BOTH = "localisation, %", "classification, %", "both, %"
_MANY = "both, several prototypes a class, %"
_DIGITS = (
    Column(_FOUND, "digits", "percent.localisation"),
    Column(_TOLD, "digits", "percent.classification_bipartite"),
    Column(_BOTH, "digits", "percent.both_bipartite"),
    Column(_MANY, "digits", "percent.both"),
)
_DIGIT_SCHEDULES: Mapping[Size, Schedule] = {
    "small": Schedule(5_000, "mnist-hard", pool=4_000, options={"digits": ("pictures=500",)}),
    "paper": Schedule(2_700_000, options={"digits": ("pictures=50000",)}),
}
_DIGIT_NOTE = "One prototype stands for one class, matched for the highest figure."


def _tusk(name: str, *changes: str, found: float, told: float, both: float | None = None) -> Row:
    paper = {_FOUND: found, _TOLD: told} | ({} if both is None else {_BOTH: both})
    presets: Mapping[Size, str] = {"small": "mnist-hard-small", "paper": "default"}
    return Row(name, "tusk", presets, changes, paper=paper)


_UNWARPED = ("heatmap_weight=0.0", "feature_weight=0.0", "attention_weight=0.0")
"""Of rows that name what they train with: neither equivariance nor the small preset's own term."""
_TUSK_LOSSES = Study(
    "TUSK: what each loss and the training in turns are good for",
    "TUSK table 4",
    _DIGITS,
    (
        _tusk(
            "reconstruction", *_UNWARPED, "cluster_weight=0.0", "prototype_rate=0.0",
            found=99.9, told=10.3, both=10.3,
        ),
        _tusk("wasserstein", *_UNWARPED, "cluster_weight=0.0", found=99.9, told=40.7, both=40.7),
        _tusk("wasserstein-k-means", *_UNWARPED, found=99.6, told=78.4, both=78.0),
        _tusk("all-together", "alternate=false", found=99.9, told=71.6, both=71.6),
        _tusk("all-in-turns", found=99.9, told=92.8, both=92.8),
    ),
    _DIGIT_SCHEDULES,
    _DIGIT_NOTE,
)  # fmt: skip
_TUSK_PROTOTYPES = Study(
    "TUSK: fewer and more prototypes than classes",
    "TUSK table 5",
    _DIGITS,
    (
        _tusk("prototypes-5", "prototypes=5", found=90.8, told=47.4),
        _tusk("prototypes-10", found=99.9, told=92.8),
        _tusk("prototypes-20", "prototypes=20", found=99.9, told=87.7),
    ),
    _DIGIT_SCHEDULES,
    _DIGIT_NOTE,
)
_TUSK_CLUSTERING = Study(
    "TUSK: other ways in which prototypes follow descriptors",
    "TUSK table 6",
    _DIGITS,
    (
        _tusk("k-means", "clustering=k-means", found=99.5, told=21.1),
        _tusk(
            "vector-quantisation", "clustering=vector-quantisation",
            found=65.3, told=23.7, both=15.3,
        ),
        _tusk("sliced-wasserstein", found=99.9, told=92.8, both=92.8),
    ),
    _DIGIT_SCHEDULES,
    _DIGIT_NOTE,
)  # fmt: skip

# -- LMDIS, table 1c ------------------------------------------------------------------------------
_LMDIS_ERROR = "landmark error, %"


def _lmdis(name: str, error: float, *changes: str) -> Row:
    presets: Mapping[Size, str] = {"small": "small", "paper": "default"}
    return Row(name, "lmdis", presets, changes, paper={_LMDIS_ERROR: error})


_LMDIS = Study(
    "LMDIS: without each of its losses",
    "LMDIS table 1c",
    (Column(_LMDIS_ERROR, "landmarks", "error"), Column("PSNR, dB", "locality", "psnr_db")),
    (
        _lmdis("full", 3.15),
        _lmdis("no-reconstruction", 3.45, "reconstruction=0.0"),
        _lmdis("no-concentration", 3.91, "concentration=0.0"),
        _lmdis("no-separation", 16.56, "separation=0.0"),
        _lmdis("no-equivariance", 8.42, "equivariance=0.0"),
    ),
    {
        "small": Schedule(4_000, "cartoon-faces", pool=6_000),
        "paper": Schedule(300_000, options=_MAFL),
    },
    "Percent of the distance of the eyes, regression without bias. The paper says ten landmarks, "
    "and for the full loss gives the figure of its model with thirty.",
)

TABLES: Mapping[str, Study] = MappingProxyType(
    {
        "dlp": _DLP,
        "pyramids": _PYRAMIDS,
        "tusk-losses": _TUSK_LOSSES,
        "tusk-prototypes": _TUSK_PROTOTYPES,
        "tusk-clustering": _TUSK_CLUSTERING,
        "lmdis": _LMDIS,
    }
)
"""Name on the command line -> table."""
