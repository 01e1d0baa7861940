"""Every error that tsea-db raises on purpose.

::

    TseaError
    ├── InputError              something given is wrong: nothing was stored
    │   ├── WeightsError        a model, an SAE or a vector cannot be used
    │   ├── TokenSetError       a token set or its definition cannot be used
    │   ├── RulesError          a file of label rules cannot be used
    │   └── QueryError          SQL that does not parse, writes, takes too long, or names what is not there
    ├── InstallationError       the package is not installed as it has to be
    └── StoreError              the store cannot be used as it is
        ├── StoreMissingError   there is no store at that path
        ├── StoreVersionError   the store is older or newer than this package
        └── StoreLockedError    another process holds the store

Messages say what happened and what to do next. The command line prints them without a traceback and exits with 2.
Exceptions of other libraries are translated where they enter.
"""

from __future__ import annotations


class TseaError(Exception):
    """Base of all errors that tsea-db raises on purpose."""


class InputError(TseaError):
    """Something the caller gave is wrong; nothing was stored."""


class WeightsError(InputError):
    """A model, an SAE or a direction cannot be used."""


class TokenSetError(InputError):
    """A token set or its definition cannot be used."""


class RulesError(InputError):
    """A file of label rules is wrong, or names sets that the store has not scored."""


class QueryError(InputError):
    """A query does not parse, tries to write, takes too long, or names something that is not there."""


class InstallationError(TseaError):
    """The package is not installed as it has to be."""


class StoreError(TseaError):
    """The store cannot be used as it is."""


class StoreMissingError(StoreError):
    """There is no store at the path given."""


class StoreVersionError(StoreError):
    """The store's schema is older or newer than this package's."""


class StoreLockedError(StoreError):
    """Another process holds the store."""
