"""Dependencies: declared once, pinned for CI, one copy of TensorFlow and of Keras."""

import ast
import configparser
import importlib.metadata
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SECOND_COPY = re.compile(r"(tensorflow-(cpu|gpu|intel|rocm|macos|aarch64)|tf-nightly|tf-keras|keras-nightly)(-|$)")


@pytest.fixture(scope="module")
def setup(root) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(comment_prefixes="#")
    parser.read(root / "setup.cfg", "utf-8")
    return parser


@pytest.fixture(scope="module")
def pins(root) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def requirements(text: str) -> list[Requirement]:
    return [Requirement(line) for line in text.strip().splitlines()]


def second_copies(names: Iterable[str]) -> list[str]:
    """Distributions that bring another build of TensorFlow or Keras."""
    return [name for name in names if SECOND_COPY.match(canonicalize_name(name))]


def unpinned(wanted: Iterable[Requirement], pins: dict[str, str]) -> list[str]:
    """Requirements that have no pin, or one outside their bounds."""
    missing = [each for each in wanted if not each.specifier.contains(pins.get(canonicalize_name(each.name), "0"))]
    return [str(each) for each in missing]


def undeclared(module: ast.Module, owners: dict[str, list[str]], declared: set[str]) -> set[str]:
    """Top-level names that a file imports and that no declared distribution provides."""
    names = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    names -= {*sys.stdlib_module_names, "saccade"}
    return {name for name in names if not declared & {canonicalize_name(owner) for owner in owners.get(name, [])}}


def test_every_requirement_is_pinned(setup, pins):
    wanted = setup["options"]["install_requires"] + setup["options.extras_require"]["dev"]
    assert unpinned(requirements(wanted), pins) == []


def test_missing_and_wrong_pins_are_found():
    wanted = requirements("keras >= 3.15\nnumpy >= 2\ntqdm >= 4")
    assert unpinned(wanted, {"keras": "3.12.0", "numpy": "2.4.6"}) == ["keras>=3.15", "tqdm>=4"]


def test_every_requirement_has_a_lower_bound(setup):
    wanted = setup["options"]["install_requires"] + "".join(setup["options.extras_require"].values())
    assert [str(each) for each in requirements(wanted) if not re.match(r"[>=]=", str(each.specifier))] == []


def test_one_tensorflow_and_one_keras(pins):
    owners = importlib.metadata.packages_distributions()
    assert set(owners["tensorflow"]) == {"tensorflow"}
    assert set(owners["keras"]) == {"keras"}
    assert second_copies([*pins, *(owner for each in owners.values() for owner in each)]) == []


def test_second_copies_are_found():
    names = ["tensorflow", "tensorflow_cpu", "tensorflow-datasets", "tf-keras", "keras", "tf_nightly-cpu"]
    assert second_copies(names) == ["tensorflow_cpu", "tf-keras", "tf_nightly-cpu"]


def test_every_import_of_the_package_is_declared(setup, package):
    owners = importlib.metadata.packages_distributions()
    declared = {canonicalize_name(each.name) for each in requirements(setup["options"]["install_requires"])}
    declared |= {canonicalize_name(name) for name in setup["options.extras_require"]}
    found = {str(path): undeclared(module, owners, declared) for path, module in package.items()}
    assert {path: names for path, names in found.items() if names} == {}


def test_undeclared_imports_are_found():
    module = ast.parse(
        "import os, yaml\nfrom . import x\ndef f():\n    from scipy.stats import norm\n    import nowhere"
    )
    owners = {"yaml": ["PyYAML"], "scipy": ["scipy"]}
    assert undeclared(module, owners, {"pyyaml"}) == {"scipy", "nowhere"}


def test_python_versions_are_those_of_the_classifiers(setup):
    versions = re.findall(r"Python :: (3\.\d+)", setup["metadata"]["classifiers"])
    python = Requirement(f"python {setup['options']['python_requires']}").specifier
    assert versions == [f"3.{minor}" for minor in range(20) if python.contains(f"3.{minor}")]
    assert Path(sys.executable).exists() and python.contains("{}.{}".format(*sys.version_info))
