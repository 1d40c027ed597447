import pytest

from saccade.models.errors import InputError
from saccade.serving.samples import read_samples


def test_samples_are_read_in_order(run):
    samples = read_samples(run / "proof")
    assert [each.name for each in samples] == ["0.png", "1.jpeg", "2.bmp", "3.png"]
    assert [each.truth for each in samples] == [{"label": 0}, {"label": 1}, {"label": 2}, {"label": 0}]
    assert samples[2].raw["bytes"].startswith(b"BM") and samples[2].key == "test/2.bmp"


@pytest.mark.parametrize(
    "text, message",
    [
        (None, r"no proof samples \(it has no samples.jsonl\)"),
        ("\n", "lists no sample"),
        ("{]", "samples.jsonl, line 1: not a proof sample"),
        ("[1]", "line 1: not a proof sample"),
        ('{"key": "a", "raw": {"bytes": {"file": "a.png"}}}', "line 1: not a proof sample"),
        (
            '\n{"key": "a", "raw": {"bytes": {"file": "a.png"}}, "truth": {}}',
            r"line 2: cannot read 'a.png' \(No such file",
        ),
        (
            '{"key": "a", "raw": {"bytes": {"file": "../a.png"}}, "truth": {}}',
            "'../a.png' is not a file name in this folder",
        ),
    ],
)
def test_broken_lists_are_told_with_their_line(tmp_path, text, message):
    if text is not None:
        (tmp_path / "samples.jsonl").write_text(text)
    with pytest.raises(InputError, match=message):
        read_samples(tmp_path)
