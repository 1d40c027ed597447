"""The table of networks: aligned, complete, and honest about what is not known."""

from types import SimpleNamespace

from saccade.models import TASKS, find_task
from saccade.models.backbones.network import Network
from saccade.models.listing import networks_of, table


def test_every_network_of_every_task_has_its_line():
    for name in TASKS:
        task = find_task(name)
        listed = [line.split()[0] for line in table(networks_of(task)).partition("\n\n")[0].splitlines()[1:]]
        assert listed == list(task.models)
        assert set(task.networks) <= set(task.models)


def test_columns_are_aligned_and_unknown_is_a_dash():
    task = SimpleNamespace(
        models={"own": ".own:Own", "a_longer_name": ".own:Longer"},
        networks={"a_longer_name": Network(".own:Longer", 12_345_678, 32, (4, 8, 16), 32, 224, "MIT")},
    )
    lines = table(networks_of(task)).splitlines()
    assert lines[:3] == [
        "name           weights  float32  smallest  ImageNet  levels       licence of ImageNet weights",
        "own                  -        -         -         -  -            -",
        "a_longer_name  12.35 M  49.4 MB        32       224  4-16 (32 n)  MIT",
    ]
    assert max(map(len, lines)) <= 120
