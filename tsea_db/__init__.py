"""A database of what every sparse-autoencoder feature of a language model does to the model's output.

``tsea_db.open(path)`` opens a store, ``tsea_db.create(path)`` makes one, ``tsea_db.enrichment(W_dec, W_U, sets)``
scores arrays without one. Names are imported when first used, because PyTorch and its company take seconds to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsea_db.analysis.calibrate import Calibrated
    from tsea_db.api.report import FeatureReport
    from tsea_db.api.store import Store, create, open, upgrade  # noqa: A004 - tsea_db.open is the name
    from tsea_db.errors import TseaError
    from tsea_db.standalone import enrichment, score_direction
    from tsea_db.statistics.weighted import weighted_es
    from tsea_db.store.nulls import NullPlan
    from tsea_db.token_sets import TokenSet, build_catalogue
    from tsea_db.version import __version__
    from tsea_db.vocabulary import Vocabulary
    from tsea_db.weights.model import ModelWeights, load_model
    from tsea_db.weights.sae import SaeWeights, load_sae

_HOMES = {
    "Calibrated": "analysis.calibrate",
    "FeatureReport": "api.report",
    "ModelWeights": "weights.model",
    "NullPlan": "store.nulls",
    "SaeWeights": "weights.sae",
    "Store": "api.store",
    "TokenSet": "token_sets",
    "TseaError": "errors",
    "Vocabulary": "vocabulary",
    "__version__": "version",
    "build_catalogue": "token_sets",
    "create": "api.store",
    "enrichment": "standalone",
    "load_model": "weights.model",
    "load_sae": "weights.sae",
    "open": "api.store",
    "score_direction": "standalone",
    "upgrade": "api.store",
    "weighted_es": "statistics.weighted",
}

__all__ = [
    "Calibrated",
    "FeatureReport",
    "ModelWeights",
    "NullPlan",
    "SaeWeights",
    "Store",
    "TokenSet",
    "TseaError",
    "Vocabulary",
    "__version__",
    "build_catalogue",
    "create",
    "enrichment",
    "load_model",
    "load_sae",
    "open",
    "score_direction",
    "upgrade",
    "weighted_es",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module 'tsea_db' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"tsea_db.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
