"""The small model that ships with the project, and its SAEs."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "examples" / "tiny-lm"
MODEL = FOLDER / "model"
SAES = sorted((FOLDER / "saes").iterdir())
