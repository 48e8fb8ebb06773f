"""Fits landmarks to particles in small pieces, behind everything that the hand asks for."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from kpcore.errors import DataError, KpError
from kpstudio.services.model_host import ModelHost
from kpstudio.services.worker import Worker
from kpstudio.session.landmarks import Point, Regressor
from kpstudio.session.session import Session

if TYPE_CHECKING:
    from kpcore.data.labelled import LabelledPictures

logger = logging.getLogger(__name__)

Key = tuple[int, int]

PICTURES = 600
"""Most pictures that a regression is fitted to, spread over the training split."""

ANNOTATED = 2000
"""Most frames of the open media whose annotation is looked up."""

_PIECE = 6


@dataclass(slots=True)
class _Job:
    """A fit under way; touched by the worker's thread only."""

    source: str
    pictures: LabelledPictures
    rows: list[int]
    frames: list[tuple[int, int]]
    points: list[np.ndarray] = field(default_factory=list[np.ndarray])
    marks: list[np.ndarray] = field(default_factory=list[np.ndarray])
    kinds: list[np.ndarray] = field(default_factory=list[np.ndarray])
    prototypes: int = 0
    truth: dict[int, tuple[Point, ...]] = field(default_factory=dict[int, tuple[Point, ...]])
    ready: Regressor | None = None

    @property
    def total(self) -> int:
        return len(self.rows) + len(self.frames)

    @property
    def done(self) -> int:
        return len(self.points) + len(self.truth)


class Landmarks:
    """Follows the session: whenever labelled data are named, fits them for what is open."""

    progress = Signal(str)
    """What is going on, for the status bar; empty when it is over."""

    def __init__(
        self, session: Session, host: ModelHost, worker: Worker, complain: Callable[..., object]
    ) -> None:
        """Wait for labelled data to be named.

        Args:
            session: Names the data in its view, and gets the regressor.
            host: Encodes.
            worker: Runs the pieces.
            complain: Given a sentence and details on the UI thread when the data cannot be used.
        """
        self._session, self._host, self._worker = session, host, worker
        self._complain = complain
        self._asked: tuple[Key, str] | None = None
        session.document_changed.connect(self._on_change)
        session.view_changed.connect(self._on_change)

    def close(self) -> None:
        """Ask for nothing any more."""
        self._session.document_changed.disconnect(self._on_change)
        self._session.view_changed.disconnect(self._on_change)

    def _on_change(self, *_: object) -> None:
        document, source = self._session.document, self._session.view.landmarks
        if document.model is None or document.media is None:
            return
        asked = ((document.model.key, document.media.key), source)
        if asked == self._asked:
            return
        self._asked = asked
        self._worker.discard("fit")
        self._session.receive_regressor(*asked[0], None)
        self.progress.emit("")
        if source:
            self._worker.put("fit", partial(self._begin, asked[0], source))

    # -- in the worker thread ---------------------------------------------------------------------
    def _begin(self, key: Key, source: str) -> None:
        if not self._host.is_open(*key):
            return
        try:
            if source.endswith(".json"):
                self._use_report(key, source)
                return
            pictures = open_annotated(source)
            rows = pictures.rows("train") or list(range(len(pictures)))
            places = np.linspace(0, len(rows) - 1, min(PICTURES, len(rows))).round().astype(int)
            chosen = [rows[place] for place in places]
            job = _Job(source, pictures, chosen, self._matched(pictures))
        except KpError as error:
            self._worker.post(self._fail, key, str(error))
            return
        self._work(key, job)

    def _use_report(self, key: Key, source: str) -> None:
        """Draw with what `kp eval` fitted; with the truth where its data are still there."""
        regressor, data = read_report(source)
        try:
            pictures = open_annotated(data)
        except KpError as error:
            logger.info("the landmarks of '%s' are drawn without truth: %s", source, error)
            self._worker.post(self._finish, key, regressor)
            return
        job = _Job(source, pictures, [], self._matched(pictures), ready=regressor)
        self._work(key, job)

    def _matched(self, pictures: LabelledPictures) -> list[tuple[int, int]]:
        """Return (frame, row) of the frames of the open media that are annotated."""
        from kpcore.data.labelled import NamedPictures

        if not isinstance(pictures, NamedPictures):
            return []
        known = {PurePath(pictures.name(row)).name: row for row in range(len(pictures))}
        names = self._host.frame_names(ANNOTATED)
        return [(frame, known[name]) for frame, name in enumerate(names) if name in known]

    def _work(self, key: Key, job: _Job) -> None:
        if not self._host.is_open(*key):
            return
        try:
            for step in self._steps(job, _PIECE):
                step()
                if self._worker.is_waiting("fit"):
                    break
        except KpError as error:
            self._worker.post(self._fail, key, str(error))
            return
        if job.done < job.total:
            self._worker.post(self._go_on, key, job, job.done, job.total)
        else:
            self._worker.post(self._finish, key, fitted(job))

    def _steps(self, job: _Job, most: int) -> Iterator[Callable[[], None]]:
        for row in job.rows[len(job.points) : len(job.points) + most]:
            yield partial(self._encode, job, row)
        if len(job.points) >= len(job.rows):
            for frame, row in job.frames[len(job.truth) : len(job.truth) + most]:
                yield partial(self._annotate, job, frame, row)

    def _encode(self, job: _Job, row: int) -> None:
        picture, marks = self._host.labelled(job.pictures, row)
        if marks is None:
            raise DataError(
                f"'{job.pictures.facts.title}' has no landmarks; choose a folder with "
                f"landmarks.csv, or CelebA's"
            )
        latents = self._host.encode_all([picture])[0].latents
        usual = self._host.usual
        if latents.prototype is not None:
            job.prototypes = self._host.prototypes
            job.kinds.append(latents.prototype[0, :usual].numpy())
        job.points.append(latents.position[0, :usual].double().numpy())
        job.marks.append(marks)

    def _annotate(self, job: _Job, frame: int, row: int) -> None:
        marks = self._host.labelled(job.pictures, row)[1]
        points = () if marks is None else tuple((float(x), float(y)) for x, y in marks)
        job.truth[frame] = points

    # -- answers, on the UI thread ----------------------------------------------------------------
    def _is_wanted(self, key: Key, source: str) -> bool:
        return self._asked == (key, source)

    def _go_on(self, key: Key, job: _Job, done: int, total: int) -> None:
        if self._is_wanted(key, job.source):
            self.progress.emit(f"Fitting landmarks… {100 * done // total} %")
            self._worker.put("fit", partial(self._work, key, job))

    def _finish(self, key: Key, regressor: Regressor) -> None:
        if self._is_wanted(key, regressor.source):
            self.progress.emit("")
            self._session.receive_regressor(*key, regressor)

    def _fail(self, key: Key, text: str) -> None:
        if self._asked is not None and self._asked[0] == key:
            self.progress.emit("")
            self._session.update_view(landmarks="")
            self._complain(text[:1].upper() + text[1:], "")


def fitted(job: _Job) -> Regressor:
    """Return the least-squares map of a job whose pictures are all encoded.

    Raises:
        DataError: No picture has all of its landmarks annotated.
    """
    from kpcore.evaluation.landmarks import by_prototype, fit, usable

    if job.ready is not None:
        return replace(job.ready, truth=job.truth)
    facts = job.pictures.facts
    points, marks = np.stack(job.points), np.stack(job.marks)
    keypoints = points.shape[1] if job.prototypes else 0
    if job.prototypes:
        points = by_prototype(points, np.stack(job.kinds), job.prototypes)
    good = usable(marks, facts.span)
    weights = fit(points[good], marks[good]).weights
    return Regressor(
        job.source,
        facts.title,
        facts.landmark_names,
        weights.tolist(),
        facts.span,
        job.truth,
        int(good.sum()),
        job.prototypes,
        keypoints,
    )


def read_report(path: str) -> tuple[Regressor, str]:
    """Return the regressor in a JSON report of `kp eval --protocol landmarks`, and its data.

    Raises:
        DataError: It cannot be read, or is no such report.
    """
    try:
        plain = json.loads(Path(path).read_text("utf-8"))
        found = plain["fitted"]
        names, span = tuple(map(str, found["landmarks"])), found["span"]
        weights = np.array(found["weights"], np.float64)
        if weights.ndim != 2 or weights.shape[1] != 2 * len(names):
            raise ValueError(f"{weights.shape} weights for {len(names)} landmarks")
        regressor = Regressor(
            path,
            str(found["title"]),
            names,
            weights.tolist(),
            None if span is None else (int(span[0]), int(span[1])),
            fitted=int(found["pictures"]),
            prototypes=int(found.get("prototypes", 0)),
            keypoints=int(found.get("keypoints", 0)),
        )
        return regressor, str(found["data"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"'{Path(path).name}' holds no fitted landmarks; choose the .json file that "
            f"'kp eval --protocol landmarks -o REPORT' writes"
        ) from error


def open_annotated(source: str) -> LabelledPictures:
    """Return the labelled pictures at a folder or file, or called NAME:PATH.

    Raises:
        DataError: It is none of the formats that `kp eval --protocol landmarks` reads.
    """
    from kpcore.data.public import PUBLIC, open_labelled

    name, _, path = source.partition(":")
    if name in PUBLIC and path:
        return open_labelled(source)
    for name in ("landmarks", "celeba", "aflw", "human36m"):
        try:
            return open_labelled(f"{name}:{source}")
        except (DataError, OSError, ValueError) as error:
            logger.debug("'%s' is not %s: %s", source, name, error)
    raise DataError(
        f"'{Path(source).name}' is no folder of annotated pictures; choose one with landmarks.csv, "
        f"or that of CelebA, AFLW or Human3.6M as it is distributed"
    )
