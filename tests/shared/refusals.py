"""What an error must carry."""

from contextlib import contextmanager

import pytest

from saccade.models.errors import InputError


@contextmanager
def refused(where=None, field=None, fix=None):
    """An InputError, one line, with these attributes: `where` and `fix` by how they end or begin, `field` whole."""
    with pytest.raises(InputError) as caught:
        yield caught
    error = caught.value
    assert "\n" not in str(error)
    assert where is None or error.where.endswith(where), error.where
    assert field is None or error.field == field
    assert fix is None or error.fix.startswith(fix), error.fix
