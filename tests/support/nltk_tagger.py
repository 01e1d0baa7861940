"""NLTK's own tagger with the data that ships with the package: the oracle of the tagger sets."""

from __future__ import annotations

import json
import zipfile
from functools import cache
from typing import Any

from tsea_db.token_sets.family import data_file

NAME = "averaged_perceptron_tagger_eng"


@cache
def load() -> Any:
    from nltk.tag.perceptron import PerceptronTagger

    with data_file(f"{NAME}.zip").open("rb") as file, zipfile.ZipFile(file) as archive:
        weights, tags, classes = (
            json.loads(archive.read(f"{NAME}/{NAME}.{part}.json")) for part in ("weights", "tagdict", "classes")
        )
    return PerceptronTagger.decode_json_obj((weights, tags, set(classes)))
