"""Where a classifier is parted into stages, for learning rates of their own."""

from saccade.models import find_task

TASK = find_task("classification")


def stages(size=32, **options) -> dict:
    model = TASK(("a", "b"), TASK.ModelOptions(**options), TASK.Input.Options(size=size)).model()
    found = model.stages()
    flat = [id(variable) for variables in found.values() for variable in variables]
    assert sorted(flat) == sorted(id(variable) for variable in model.trainable_variables)  # each once
    return found


def layers(variables) -> list[str]:
    return list(dict.fromkeys(variable.path.split("/")[-2] for variable in variables))


def test_layers_belong_to_the_first_level_that_needs_them():
    found = stages(16, name="lenet")
    assert {stage: layers(variables) for stage, variables in found.items()} == {
        2: ["c1"],
        4: ["c3"],
        "head": ["c5", "f6", "logits"],
    }


def test_frozen_layers_learn_at_no_rate():
    found = stages(16, name="lenet", freeze=2)
    assert {stage: layers(variables) for stage, variables in found.items()} == {
        2: [],
        4: ["c3"],
        "head": ["c5", "f6", "logits"],
    }


def test_a_residual_network():
    found = stages(name="resnet20")
    assert list(found) == [1, 2, 4, "head"]
    assert layers(found["head"]) == ["logits"]
    assert all(name.startswith("stride4") for name in layers(found[4]))


def test_the_head_alone_has_no_levels():
    model = TASK(("a", "b"), TASK.ModelOptions(name="lenet"), TASK.Input.Options(size=16)).model()
    _, head = model.split()
    assert {stage: layers(variables) for stage, variables in head.stages().items()} == {"head": ["logits"]}


def test_a_network_of_keras_applications():
    found = stages(name="mobilenet_v2")
    assert list(found) == [2, 4, 8, 16, 32, "head"] and all(found.values())
    assert layers(found["head"]) == ["logits"]
