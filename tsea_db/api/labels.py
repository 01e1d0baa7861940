"""What changes the labels of a store: rules, and the numbers of one's own that rules can use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tsea_db.api.base import StoreBase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tsea_db.analysis.thresholds import Thresholds
    from tsea_db.labels.stored import LabelReport


class StoreLabels(StoreBase):
    """The part of a store that labels features."""

    def label(
        self,
        rules: str | Path | None = None,
        *,
        preset: str | None = None,
        dry_run: bool = False,
        progress: bool = True,
    ) -> LabelReport:
        """Label every feature by rules and store the labels in place of earlier ones.

        Args:
            rules: A rules file; by default the rules that ship with the package.
            preset: Thresholds for classes, instead of those the rules choose: "random-directions" or "published".
            dry_run: Only work out what would be stored.
            progress: Show a progress bar on standard error, if that is a terminal.

        Raises:
            RulesError: The rules are wrong, or name a token set that is not there or not scored.
            StoreError: The store was opened for reading, and this is no dry run.
        """
        from tsea_db.labels.stored import label
        from tsea_db.rules import default_rules, read_rules

        if not dry_run:
            self._check_writable("label")
        read = default_rules(preset) if rules is None else read_rules(Path(rules), preset)
        return label(self._file, read, dry_run=dry_run, progress=progress)

    def annotate(self, sae: str, name: str, values: Mapping[int, float], source: str = "") -> None:
        """Store a number of some features of an SAE, for rules (``annotation = { NAME = ... }``) and SQL to use.

        Args:
            sae: Name of the SAE.
            name: What the number is called; numbers it had by that name are replaced.
            values: From feature to number.
            source: Where the numbers come from.

        Raises:
            InputError: There is no such SAE or feature, or a value is not finite.
            StoreError: The store was opened for reading.
        """
        from tsea_db.labels.stored import annotate

        self._check_writable("annotate")
        annotate(self._file, sae, name, values, source)

    def thresholds(
        self, rules: str | Path | None = None, levels: Sequence[float] | None = None, *, progress: bool = True
    ) -> Thresholds:
        """Count what thresholds of q give: labels, and labels where nothing is to be found.

        Args:
            rules: A rules file whose set rules are tried; by default the rules that ship with the package.
            levels: Values of q to try.
            progress: Show a progress bar on standard error, if that is a terminal.

        Raises:
            InputError: No SAE's weights were kept, or a level is not between 0 and 1.
            RulesError: The rules are wrong.
        """
        from tsea_db.analysis.thresholds import LEVELS, thresholds
        from tsea_db.rules import default_rules, read_rules

        read = default_rules() if rules is None else read_rules(Path(rules))
        return thresholds(self._file, read, tuple(levels or LEVELS), progress=progress)
