"""What sources have in common whose samples are picture files."""

from ....models.inputs.file_tree import FileTree
from ..source import ImageSource


class FileSource(ImageSource):
    """A source whose keys are paths in a tree of files.

    Attributes:
        tree: where the files lie; subclasses set it.
    """

    tree: FileTree

    def encoded(self, position: int) -> bytes:
        return self.tree.read(self.keys[position])

    def where(self, position: int) -> str:
        return self.tree.where(self.keys[position])

    def stamp(self, position: int) -> str | None:
        return self.tree.stamp(self.keys[position])
