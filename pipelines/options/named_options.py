"""Sections of a recipe that come in kinds, told apart by their `name`."""

from typing import Any

from pydantic import Discriminator


def by_name(default: str) -> Discriminator:
    """Chooses among kinds by `name`, which may be left out where the default is meant."""

    def name_of(value: Any) -> str:
        return value.get("name", default) if isinstance(value, dict) else getattr(value, "name", default)

    return Discriminator(name_of)
