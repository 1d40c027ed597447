"""Images in a zip file: the same samples as from the unpacked folder."""

import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.pipelines.data.formats.folder import Folder, FolderOptions
from saccade.pipelines.recipe.recipe import load_recipe

LABEL = {"label": Truth("int32")}
IMAGES = ("train/a/1.png", "train/a/deep/2.jpg", "train/b/1.png", "val/b/2.png", "val/a/._1.png", "__MACOSX/1.png")


def folder(path: Path, truth=LABEL, **options) -> Folder:
    return Folder(FolderOptions(source="folder", path=str(path), **options), truth)


def refused(path: Path, **options) -> str:
    with pytest.raises(InputError) as error:
        folder(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path), "ROOT")


@pytest.fixture
def pack(draw, tmp_path_factory):
    """`pack(*paths)`: images in a folder, and a zip file of it beside that, with the compression."""

    def packed(*paths: str, compression: int = zipfile.ZIP_DEFLATED) -> tuple[Path, Path]:
        root, file = draw(*paths), tmp_path_factory.mktemp("zip") / "images.zip"
        with zipfile.ZipFile(file, "w", compression) as archive:
            for each in paths:
                archive.write(root / each, each)
        return root, file

    return packed


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_file_holds_what_its_folder_holds(pack, compression):
    root, file = pack(*IMAGES, compression=compression)
    unpacked, packed = folder(root), folder(file)
    assert packed.keys == unpacked.keys == ["train/a/1.png", "train/a/deep/2.jpg", "train/b/1.png", "val/b/2.png"]
    assert packed.class_names == unpacked.class_names and packed.splits == unpacked.splits
    for at in range(len(packed)):
        assert packed.read(at) == unpacked.read(at) and packed.truth(at) == unpacked.truth(at)
        assert packed.where(at) == f"{file}/{packed.keys[at]}"


def test_a_zip_file_that_lists_its_folders(draw, tmp_path_factory):
    root = draw("a/1.png", "b/x/1.png")
    (root / "c").mkdir()
    file = shutil.make_archive(str(tmp_path_factory.mktemp("zip") / "images"), "zip", root)
    assert "class folder 'c' has no images" in refused(Path(file))
    assert folder(Path(file), exclude=["c"]).keys == ["a/1.png", "b/x/1.png"]


def test_a_folder_in_a_zip_file(pack):
    _, file = pack("all/photos/a/1.png", "all/photos/b/1.png", "all/readme.png")
    assert folder(file / "all" / "photos").keys == ["a/1.png", "b/1.png"]
    assert folder(file / "all" / "photos").where(1) == f"{file}/all/photos/b/1.png"
    assert refused(file, exclude=["*.png"]).endswith("data.exclude leaves out 3")
    assert refused(file / "other") == "data.path=ROOT: no folder 'other' in the zip file"


def test_the_only_folder_of_a_zip_file_may_be_the_root(pack):
    _, file = pack("flowers/rose/1.png", "flowers/tulip/1.png")
    assert refused(file).endswith("are its folders the classes? then data.path=ROOT/flowers")
    assert folder(file / "flowers").class_names == ["rose", "tulip"]


def test_separators_of_windows(draw, tmp_path_factory):
    root, file = draw("a/1.png", "b/1.png"), tmp_path_factory.mktemp("zip") / "windows.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name in "ab":
            archive.write(root / name / "1.png", f"{name}\\1.png")
    assert folder(file).keys == ["a/1.png", "b/1.png"]


def test_groups_and_prediction(pack):
    _, file = pack("a/p1_1.png", "a/p2_1.png", "b/p1_2.png")
    assert folder(file, group=r"/(p\d+)_").groups == ["p1", "p2", "p1"]
    assert folder(file, truth=None).truth(0) == {}


def test_threads_read_what_one_reads(pack):
    source = folder(pack(*IMAGES)[1])
    alone = [source.read(at) for at in range(4)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(source.read, [0, 1, 2, 3] * 500)) == alone * 500


def test_the_stamp_tells_another_content(pack, encode):
    _, file = pack("a/1.png", "b/1.png")
    before = [folder(file).stamp(at) for at in (0, 1)]
    assert before == [folder(file).stamp(at) for at in (0, 1)]
    with zipfile.ZipFile(file) as archive:
        kept = archive.read("b/1.png")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/1.png", encode(7, "PNG"))
        archive.writestr("b/1.png", kept)
    assert folder(file).stamp(0) != before[0] and folder(file).stamp(1) == before[1]


def test_an_image_broken_in_the_zip_file(pack):
    _, file = pack("a/1.png", "b/1.png", compression=zipfile.ZIP_STORED)
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    source = folder(file)
    with pytest.raises(OSError, match="broken in the zip file: Bad CRC-32 for file 'a/1.png'"):
        source.read(0)
    assert source.read(1)["bytes"].startswith(b"\x89PNG")


def test_what_is_no_zip_file(pack, tmp_path):
    assert refused(tmp_path / "no.zip") == "data.path=ROOT: no such zip file"
    (tmp_path / "text.zip").write_text("hello")
    assert refused(tmp_path / "text.zip") == "data.path=ROOT: not a readable zip file: File is not a zip file"
    _, file = pack("a/1.png", "b/1.png")
    file.write_bytes(file.read_bytes()[:-30])
    assert "not a readable zip file" in refused(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "hello")
    assert refused(file) == "data.path=ROOT: no images (jpg, jpeg, png, gif, bmp, webp) in it; other files: 1"


def test_a_password(pack):
    _, file = pack("a/1.png", "b/1.png")
    content = bytearray(file.read_bytes())
    at = content.index(b"PK\x01\x02")  # of the first member in the central directory, whose flags stand 8 bytes on
    content[at + 8] |= 1
    file.write_bytes(content)
    assert refused(file) == "data.path=ROOT: protected by a password: unpack it, and give the folder"


def test_a_folder_may_be_called_like_a_zip_file(draw):
    assert folder(draw("x.zip/a/1.png", "x.zip/b/1.png") / "x.zip").keys == ["a/1.png", "b/1.png"]


def test_cifar10(data_dir, tmp_path):
    recipe = load_recipe("classification", [f"data.path={data_dir}/classification/cifar10_jpeg/train.zip"])
    source, task = recipe.open()
    assert len(source) == 10_000 and list(source.splits) == ["train"]
    assert task.class_names[:3] == ("airplane", "automobile", "bird") and len(task.class_names) == 10
    assert source.read(0)["bytes"].startswith(b"\xff\xd8\xff")
