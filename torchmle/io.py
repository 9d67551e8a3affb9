"""Saved results: a zip of one JSON text and one array archive. No training row, and nothing that runs on loading."""

from __future__ import annotations

import importlib
import io
import json
import sys
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .covariance import Estimate, choose
from .errors import ModelError
from .fitting.constraints import LinearConstraints
from .fitting.coordinates import Coordinates
from .fitting.fit import Fit
from .fitting.separation import Separation
from .formula import Design
from .linalg import Inverse, Spectrum
from .optim import Optimum, Status, Step

if TYPE_CHECKING:
    from .results import Results

FORMAT = 3
HELD = ("fixed", "dropped", "boundary", "tied", "spanned", "infinite")  # kinds of entries of theta, in their order
TOLD = ("scale", "trimmed", "alpha")  # settings of a fit, dispersion and penalty, that numbers depend on


def save(results: Results, path: Any) -> None:
    """Write a result to a file.

    The file holds estimates, their covariance, fit statistics and the recipe of the design; its size depends on the
    number of parameters, not on the number of rows.

    Parameters
    ----------
    path : str, path-like or binary file

    Raises
    ------
    FormulaError
        The formula uses a function that another process could not import; the message names it.
    """
    tensors, scalars = _contents(results)
    archive = io.BytesIO()
    arrays: dict[str, Any] = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    np.savez(archive, **arrays)
    with zipfile.ZipFile(_opened(path), "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("result.json", json.dumps(scalars))
        file.writestr("arrays.npz", archive.getvalue())


def load(path: Any, model: type | None = None) -> Results:
    """Read a result that `Results.save` wrote.

    Parameters
    ----------
    path : str, path-like or binary file
    model : type, optional
        The model's class, when it was defined in a script or notebook.

    Returns
    -------
    Results
        On the CPU. It predicts, tests and prints; what needs the rows of the fit raises `ModelError`.

    Raises
    ------
    ModelError
        The file is not one that `Results.save` wrote, or the model's class is not known here.
    FileNotFoundError
    """
    try:
        archive = zipfile.ZipFile(_opened(path))
    except zipfile.BadZipFile:
        raise ModelError(
            f"{path} is not a file that Results.save wrote. A pickle can run any code when it is opened, so torchmle.load "
            "does not; if you trust it, use pickle.load"
        ) from None
    with archive as file:
        scalars = json.loads(file.read("result.json"))
        with np.load(io.BytesIO(file.read("arrays.npz")), allow_pickle=False) as arrays:
            tensors = {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.files}
    if scalars["format"] != FORMAT:
        raise ModelError(f"{path} has format {scalars['format']}; this version reads format {FORMAT}")
    return _rebuild(tensors, scalars, model or find_class(scalars["origin"]))


def to_bytes(results: Results) -> bytes:
    """What `save` writes."""
    stream = io.BytesIO()
    save(results, stream)
    return stream.getvalue()


def from_bytes(content: bytes) -> Results:
    """The result of `to_bytes`. Pickles name this function, so it keeps its place."""
    return load(io.BytesIO(content))


def _opened(path: Any) -> Any:
    """What zipfile takes: a path, or a file that is open already."""
    return path if hasattr(path, "read") or hasattr(path, "write") else Path(path)


def _contents(results: Results) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and JSON values of a result."""
    fit, model, optimum = results.fit, results.model, results.optim
    tensors = {name: value for name, value in {
        "x": optimum.x, "gradient": optimum.gradient, "hessian": optimum.hessian, "inverse": fit.inverse.matrix,
        "direction": fit.inverse.direction, "uncentre": fit.coordinates.uncentre, "origin": fit.coordinates.origin,
        "basis": fit.coordinates.basis, **{f"shift.{name}": shift for name, shift in model.shift.items()},
    }.items() if value is not None}  # fmt: skip
    scalars = {
        "format": FORMAT,
        "origin": model.origin(),
        "design": model.design.to_dict(),
        "model": model.state(),
        "optimum": _plain(optimum),
        "inverse": [fit.inverse.condition, fit.inverse.eigenvalue],
        "coordinates": [getattr(fit.coordinates, kind) for kind in HELD],
        "constraints": [part.tolist() for part in results.constraints] if hasattr(results, "constraints") else None,
        "settings": {name: np.asarray(fit.settings[name]).tolist() for name in TOLD if name in fit.settings},
        "fit": {"seconds": fit.seconds, "nobs": fit.nobs, "scale": fit.scale},
        "separation": None if fit.separation is None else fit.separation.to_dict(),
        "use_t": results.use_t,
        "statistics": {name: getattr(results, name) for name in results.saved},
        "cov_type": results.cov_type,
    }
    if results.covariance is not None:
        tensors["covariance"] = results.estimate.matrix
        estimate = results.estimate
        scalars["estimate"] = [estimate.description, estimate.df, estimate.n_groups]
    return tensors, scalars


def _plain(optimum: Optimum) -> dict[str, Any]:
    """The fields of an optimum that are not tensors."""
    values = {field.name: getattr(optimum, field.name) for field in fields(Optimum)}
    kept = {name: value for name, value in values.items() if not isinstance(value, Tensor) and name != "direction"}
    return {**kept, "status": optimum.status.name, "history": [list(vars(step).values()) for step in optimum.history]}


def _rebuild(tensors: dict[str, Tensor], scalars: dict[str, Any], model_class: Any) -> Results:
    shift = {name.partition(".")[2]: tensor for name, tensor in tensors.items() if name.startswith("shift.")}
    model = model_class.without_rows(Design.from_dict(scalars["design"]), shift, scalars["model"])
    told = scalars["optimum"]
    optimum = Optimum(**{
        **told, "x": tensors["x"], "gradient": tensors["gradient"], "hessian": tensors["hessian"], "direction": None,
        "status": Status[told["status"]], "history": tuple(Step(*step) for step in told["history"]),
        "names": tuple(told["names"]),
    })  # fmt: skip
    held = (tuple(entries) for entries in scalars["coordinates"])
    coordinates = Coordinates(tensors.get("uncentre"), tensors["origin"], tensors.get("basis"), *held)
    said, settings = scalars.get("constraints"), scalars.get("settings", {})
    if said is not None:
        settings["constraints"] = LinearConstraints(np.array(said[0]), np.array(said[1]), model.layout.names)
    condition, eigenvalue = scalars["inverse"]
    inverse = Inverse(tensors["inverse"], Spectrum(condition, eigenvalue, tensors["direction"]))
    told = scalars["separation"]
    separation = None if told is None else Separation.from_dict(told)
    seconds = scalars["fit"].pop("seconds")
    fit = Fit(model, coordinates, optimum, seconds, settings, separation, inverted=inverse)
    vars(fit).update(scalars["fit"])
    results = model.results_class(fit, choose(scalars["cov_type"]), scalars["use_t"])
    vars(results).update(
        (name, np.float64(value) if isinstance(value, float) else value)
        for name, value in scalars["statistics"].items()
    )
    if "estimate" in scalars:
        description, df, groups = scalars["estimate"]
        found = Estimate(tensors["covariance"], description, df, tuple(groups))
        vars(results).update(estimate=found, _unquestioned=found)
    return results


def find_class(origin: dict[str, str]) -> Any:
    """The class a file names. Only modules of this package or already imported ones are looked into.

    Raises
    ------
    ModelError
        The class is not to be found; the message says how to name it.
    """
    module, _, name = origin["class"].partition(":")
    if module.split(".")[0] == __package__:
        importlib.import_module(module)
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not hasattr(found, "from_origin"):
        raise ModelError(
            f"the class {name!r} of module {module!r} is not known here; import that module first, or pass "
            f"torchmle.load(path, model=...) the class"
        )
    return found.from_origin(origin)
