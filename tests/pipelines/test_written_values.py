"""Values pass through a shell and YAML: text is taken as typed, and what a message says to type can be pasted."""

import os
import re
import shlex
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from saccade.cli import main
from saccade.models.errors import InputError, advise
from saccade.models.options import Options
from saccade.pipelines.recipe.recipe import _section, load_recipe
from saccade.pipelines.recipe.text import RecipeText, read_recipe

ODD = [
    *("01", "1:30", "1e3", "0x10", "1_000", "2024-01-01", "yes", "true", "null", "~x", "set #2", "#1", "a: b", "a, b"),
    *(
        "*.gif",
        "[a-z]+",
        "{a}",
        "- a",
        "-a",
        "@a",
        "%a",
        "`a`",
        "&a",
        "!a",
        "|",
        ">",
        "?",
        "=",
        "a=b",
        "'a' b",
        'a "b"',
    ),
    *(
        " a",
        "a ",
        "a  b",
        "é ü 写真 🙂",
        "it's",
        "back\\slash",
        "$",
        "a\tb",
        "a\nb",
        "\u2028",
        "\x7f",
        "---",
        "a" * 200,
    ),
]
"""Text that a shell or YAML is fond of taking for something else."""

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


class Section(Options):
    """A field of each kind that text can stand in."""

    text: str = ""
    maybe: str | None = "unset"
    texts: list[str] = []
    named: dict[str, str] = {}
    weights: Literal["none", "balanced"] | dict[str, float] = "none"
    word: Literal["01", "null"] | None = None
    either: str | float = 0.5
    many: int = 0
    nested: dict[str, list[str]] = {}


@pytest.fixture(scope="session")
def empty_recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("values") / "r.yaml"
    path.write_text("s: {}\n")
    return path


def read(text: RecipeText) -> Section:
    return _section("s", Section, text)


def pasted(recipe: Path, key: str, value) -> Section:
    """What the recipe holds after a person pasted the line that a message says."""
    line = advise(f"s.{key}", value)
    assert line.isprintable()
    (override,) = shlex.split(line)
    return read(read_recipe(recipe, [override]))


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_text_is_taken_as_typed(empty_recipe, text):
    section = read(read_recipe(empty_recipe, [f"s.text={text}", f"s.maybe={text}", f"s.named.a={text}"]))
    assert (section.text, section.maybe, section.named) == (text, None if text == "null" else text, {"a": text})


@pytest.mark.parametrize(
    "text", ["01", "1:30", "1e3", "0x10", "2024-01-01", "yes", "true", "null", "it's", "~x", "*.a"]
)
def test_items_and_keys_are_text_where_text_is_wanted(empty_recipe, text):
    section = read(read_recipe(empty_recipe, [f"s.texts=[a b, {text}]", f"s.weights={{{text}: 2}}"]))
    assert (section.texts, section.weights) == (["a b", text], {text: 2.0})
    if text != "null":
        assert read(read_recipe(empty_recipe, [f"s.texts={text}"])).texts == [text]


@pytest.mark.parametrize(
    "text", ["01", "1:30", "1e3", "0x10", "2024-01-01", "yes", "true", "null", "it's", "a b", "=", "0o7"]
)
def test_text_in_a_file_is_taken_as_written(tmp_path, text):
    (tmp_path / "r.yaml").write_text(f"s: {{text: {text}, texts: [{text}], named: {{{text}: {text}}}, either: x}}\n")
    section = read(read_recipe(tmp_path / "r.yaml"))
    assert (section.text, section.texts, section.named) == (text, [text], {text: text})


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("maybe=", "maybe", None),
        ("maybe=null", "maybe", None),
        ("maybe=~", "maybe", None),
        ("maybe='null'", "maybe", "null"),
        ("maybe=#(\\d+)", "maybe", "#(\\d+)"),
        ("text='01'", "text", "01"),
        ('text="a\\tb"', "text", "a\tb"),
        ("text=''", "text", ""),
        ("text='a' # b", "text", "'a' # b"),
        ("word=01", "word", "01"),
        ("word=null", "word", None),
        ("word='null'", "word", "null"),
        ("either=0.25", "either", 0.25),
        ("either=a #1", "either", "a #1"),
        ("many=3 # of them", "many", 3),
        ("many=010", "many", 10),
        ("many=0x10", "many", 16),
        ("weights=balanced", "weights", "balanced"),
        ("nested={a: [01, *.gif], 02: []}", "nested", {"a": ["01", "*.gif"], "02": []}),
    ],
)
def test_the_type_of_the_field_decides(empty_recipe, override, field, value):
    assert getattr(read(read_recipe(empty_recipe, [f"s.{override}"])), field) == value


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("s.text=", "'s.text' is None"),
        ("s.many='3'", "'s.many' is '3'"),
        ("s.many=1:30", "'s.many' is '1:30'"),
        ("s.many=2024-01-01", "'s.many' is '2024-01-01'"),
        ("s.many=[", "the value is not YAML"),
        (
            "s.texts=[a, #1]",
            "the value is not YAML (in a list or a mapping, text with special characters is put in quo",
        ),
        ("s.texts=a, b", "a list is wanted, such as 's.texts=[a, b]'"),
        ("s.weights={a: 1, a: 2}", "the key 's.weights.a' stands here twice"),
        ("s.weights={[a]: 1}", "a key is one word"),
        ("s.word=02", "'s.word' is '02'"),
        ("s.txt=*", "unknown key 's.txt': did you mean text or texts"),
        ("s.txt=a=b\nc", "unknown key 's.txt'"),
        ("s.text.deeper=1", "'s.text' is {'deeper': 1}"),
        ("s.text\udce9=1", "not UTF-8"),
    ],
)
def test_what_is_refused_is_told_in_one_line(empty_recipe, override, told):
    with pytest.raises(InputError) as caught:
        read(read_recipe(empty_recipe, [override]))
    assert told in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    "content", ["s: {many: !!int x}", "s: {many: !!timestamp 2024-01-01}", "s: &a [*a]", "? [a]\n: b"]
)
def test_odd_yaml_in_a_file_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "r.yaml").write_text(content)
    with pytest.raises(InputError, match=r"r\.yaml"):
        read(read_recipe(tmp_path / "r.yaml"))


@given(TEXT)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_can_be_pasted(empty_recipe, text):
    assert pasted(empty_recipe, "text", text).text == text
    assert pasted(empty_recipe, "maybe", text).maybe == text
    assert pasted(empty_recipe, "either", "x" + text).either == "x" + text


@given(st.lists(TEXT), st.dictionaries(TEXT, TEXT), st.dictionaries(TEXT, st.floats(0, 9)))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_list_and_mapping_of_text_can_be_pasted(empty_recipe, texts, named, weights):
    assert pasted(empty_recipe, "texts", texts).texts == texts
    assert pasted(empty_recipe, "named", named).named == named
    assert pasted(empty_recipe, "weights", weights).weights == weights
    assert pasted(empty_recipe, "nested", {"a": texts}).nested == {"a": texts}


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_what_a_message_says_means_the_same_to_yaml(text):
    (override,) = shlex.split(advise("data.exclude", [text]))
    assert yaml.safe_load(override.partition("=")[2]) == [text]


@given(TEXT)
@settings(max_examples=40, deadline=None)
def test_a_resolved_recipe_holds_the_same_text(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("resolved")
    lines = [
        advise("data.path", "./" + text.replace("$", "$$")),
        advise("data.exclude", [text]),
        advise("export.name", text),
    ]
    recipe = load_recipe("photos", shlex.split(" ".join(lines)))
    assert (recipe.data.exclude, recipe.export.name) == ([text], text)
    assert recipe.data.path == os.path.normpath(Path.cwd() / f"./{text}")
    (folder / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    assert load_recipe(folder / "recipe.yaml").resolved() == recipe.resolved()


# What messages really say, pasted back


RECIPE = """\
task: {task}
data: {{source: {source}}}
input: {{size: 32, fit: stretch}}
"""
SAID = re.compile(r"""(?:^|\s)('data\.[^']*(?:'"'"'[^']*)*'|data\.\w+=\S+)""")


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)


def settle(recipe: Path, *overrides: str, most: int = 4):
    """Opens data, and does what each message says until none comes; returns the source and the lines pasted."""
    lines: list[str] = []
    for _ in range(most):
        try:
            return load_recipe(recipe, [*overrides, *shlex.split(" ".join(lines))]).open()[0], lines
        except InputError as error:
            said = SAID.findall(str(error).partition(": ")[2])
            assert said, error
            lines += said
    raise AssertionError(f"after {lines} there is still a message")


@pytest.fixture
def classification(tmp_path) -> Path:
    (tmp_path / "r.yaml").write_text(RECIPE.format(task="classification", source="folder"))
    return tmp_path / "r.yaml"


NAMES = [text for text in ODD if "/" not in text and not text.startswith(".")]


@pytest.mark.parametrize("name", [*NAMES, "[ab]", "a*", "a?"], ids=ascii)
def test_leaving_a_class_out(classification, tmp_path, name):
    for each in ("cat/1.png", "dog/1.png", "extra.gif"):
        draw(tmp_path / "d" / each)
    for each in (name, "empty too", "ab"):
        (tmp_path / "d" / each).mkdir(exist_ok=True)
    source, lines = settle(classification, advise_path(tmp_path / "d"), "data.exclude=extra*")
    assert source.class_names == ["cat", "dog"] and len(lines) == 3
    assert load_recipe(classification, shlex.split(lines[-1])[:1] + ["data.path=x"]).data.exclude[0] == "extra*"


def advise_path(path: Path) -> str:
    return shlex.split(advise("data.path", str(path)))[0]


def test_a_folder_beside_splits(classification, tmp_path):
    for each in ("train/cat/1.png", "train/dog/1.png", "it's #2/x/1.png"):
        draw(tmp_path / "set #2" / each)
    source, _ = settle(classification, advise_path(tmp_path / "set #2"))
    assert source.class_names == ["cat", "dog"]


def test_the_folder_of_the_classes(classification, tmp_path):
    for each in ("cat/1.png", "dog/1.png"):
        draw(tmp_path / "set #2 $x" / "01: it's" / each)
    source, lines = settle(classification, advise_path(tmp_path / "set #2 $$x"))
    assert source.class_names == ["cat", "dog"] and len(lines) == 1


@pytest.mark.parametrize("delimiter", [";", "\t", "|"], ids=ascii)
def test_the_delimiter_of_a_table(tmp_path, delimiter):
    rows = [("path", "label"), ("a.png", "x"), ("b.png", "01")]
    (tmp_path / "t.csv").write_text("".join(f"{delimiter.join(row)}\n" for row in rows))
    for name in ("a.png", "b.png"):
        draw(tmp_path / name)
    (tmp_path / "r.yaml").write_text(RECIPE.format(task="classification", source="csv"))
    source, _ = settle(tmp_path / "r.yaml", advise_path(tmp_path / "t.csv"))
    assert source.class_names == ["01", "x"]


def test_backslash_t_is_a_tab(tmp_path):
    recipe = load_recipe("photos", ["data={source: csv, path: x}", "data.delimiter=\\t"])
    assert recipe.data.delimiter == "\t"


@pytest.mark.parametrize("separator", "|;")
def test_the_separator_of_labels(tmp_path, separator):
    (tmp_path / "t.csv").write_text(f"path,labels\na.png,x{separator}y\nb.png,y\n")
    for name in ("a.png", "b.png"):
        draw(tmp_path / name)
    (tmp_path / "r.yaml").write_text(RECIPE.format(task="classification", source="csv"))
    source, _ = settle(tmp_path / "r.yaml", advise_path(tmp_path / "t.csv"), "model.multi_label=true")
    assert source.class_names == ["x", "y"]


@pytest.fixture
def segmentation(tmp_path) -> Path:
    (tmp_path / "r.yaml").write_text(RECIPE.format(task="segmentation", source="masks"))
    for at in range(6):
        draw(tmp_path / "i" / f"{at}.png")
    return tmp_path / "r.yaml"


def masks(folder: Path, *values: int, color: bool = False) -> str:
    (folder / "m").mkdir()
    for at in range(6):
        mask = np.resize(np.array(values, np.uint8), (4, 4))
        cv2.imwrite(str(folder / "m" / f"{at}.png"), np.stack([mask, mask, 255 - mask], -1) if color else mask)
    return f"data.masks={folder / 'm'}"


@pytest.mark.parametrize(
    ("values", "color", "given", "classes"),
    [
        ((0, 1, 255), False, [], {"background", "foreground"}),
        ((0, 38, 75, 113), False, [], {"class_0", "class_1", "class_2", "class_3"}),
        ((0, 200), True, [], {"class_0", "class_1"}),
        ((0, 1, 2, 3), False, ["01", "it's: #2"], {"01", "it's: #2", "class_2", "class_3"}),
        ((0, 1, 9), False, ["null", "a, b"], {"class_0", "class_1", "class_2", "null", "a, b"}),
    ],
)
def test_each_line_about_masks_settles_it(segmentation, tmp_path, values, color, given, classes):
    overrides = [advise_path(tmp_path / "i"), masks(tmp_path, *values, color=color)]
    named = shlex.split(advise("data.classes", given)) if given else []
    with pytest.raises(InputError) as caught:
        load_recipe(segmentation, [*overrides, *named]).open()
    lines = re.findall(r"'((?:encoding|classes|colors|ignore): .*?)'(?= with|,| if| in |$| \()", str(caught.value))
    assert lines
    found = set()
    for line in lines:
        data = {"source": "masks"} | ({"classes": given} if given and not line.startswith("c") else {})
        pasted_below = yaml.safe_dump({"data": data}, default_flow_style=False) + f"  {line}\n"
        settled = segmentation.with_name("settled.yaml")
        settled.write_text(segmentation.read_text().replace("data: {source: masks}\n", pasted_below))
        source = load_recipe(settled, overrides).open()[0]
        found |= set(source.class_names)
    assert classes <= found  # there is a line for every encoding that reads such files


def test_a_folder_beside_the_splits_of_masks(segmentation, tmp_path):
    for each in ("train/1", "it's [2]/1"):
        draw(tmp_path / "s" / f"{each}.png")
        (tmp_path / "s" / f"{each}_mask.png").write_bytes(cv2.imencode(".png", np.eye(4, dtype=np.uint8) * 255)[1])
    source, _ = settle(segmentation, advise_path(tmp_path / "s"))
    assert list(source.keys) == ["train/1.png"]


def test_the_command_line_tells_one_line_of_a_name_with_a_line_break(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "photos", "data.path=a\nb"]) == 2
    assert capsys.readouterr().err.splitlines() == [f"saccade: data.path={tmp_path}/a\\nb: no such folder"]
