"""Text in, a class out: a vocabulary learned from the training split, and batches of sentences of like length.

What results depend on is `learned`: it is saved with the run, reaches the input, and stands in the bundle as a lookup
table that the exported module tracks.
"""

import csv
from collections import Counter

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw

from saccade.models.contract import SERVING, Case, Evaluation, Input, Inspected, ModelOptions, Task, Truth, Value
from saccade.models.errors import InputError
from saccade.models.options import Options, RecipePath
from saccade.pipelines.data.source import DataOptions, Source


class TableOptions(DataOptions):
    path: RecipePath
    """A CSV file with the columns `text` and `label`."""


class Table(Source):
    """One sentence a row."""

    Options = TableOptions

    def __init__(self, options, truth):
        with open(options.path, encoding="utf-8", newline="") as file:
            self._rows = list(csv.DictReader(file))
        self.class_names = sorted({row["label"] for row in self._rows})
        self.keys = [f"row {number}" for number in range(2, len(self._rows) + 2)]
        self.splits, self.groups = {}, self.keys

    def read(self, position):
        return {"text": self._rows[position]["text"]}

    def truth(self, position):
        row = self._rows[position]
        return {"label": np.int32(self.class_names.index(row["label"])), "text": row["text"]}


class TextOptions(Options):
    """The recipe's `input` section."""

    words: int = 1000
    """How many different words are known; the most frequent ones."""


class TextInput(Input):
    """Words to their places in the vocabulary: 0 fills a batch, 1 is any other word."""

    Options = TextOptions

    def __init__(self, options, learned=None, truth=None):
        super().__init__(options, learned, truth or {})
        words = self.learned.get("vocabulary", [])
        if words:
            entries = tf.lookup.KeyValueTensorInitializer(words, tf.range(2, len(words) + 2, dtype=tf.int64))
            self._table = tf.lookup.StaticHashTable(entries, 1)
            self.resources = [self._table]  # without this a bundle would have no table

    @property
    def signatures(self):
        return {SERVING: {"text": tf.TensorSpec([None], tf.string)}}

    def __call__(self, text):
        words = self._table.lookup(tf.strings.split(tf.strings.lower(text)))
        return words.to_tensor(), {"length": tf.cast(words.row_lengths(), tf.int32)}  # [n, longest]

    def load(self, sample):
        words = self._table.lookup(tf.strings.split(tf.strings.lower(sample["text"])))
        return {name: value for name, value in sample.items() if name != "text"} | {"words": words}

    def encode(self, item):
        if not isinstance(item, str):
            raise InputError(f"{type(item).__name__}: a sentence is text")
        return {"text": item}

    def find(self, places):
        """Each place is a sentence."""
        return [(place, lambda place=place: {"text": place}) for place in places]

    def inspect(self, raw, where=""):
        if not raw["text"].split():
            raise InputError("an empty sentence")
        return Inspected()

    def show(self, raw):
        page = Image.new("RGB", (320, 32), "white")
        ImageDraw.Draw(page).text((4, 4), raw["text"][:60], fill="black")
        return np.asarray(page)


class BagOfWords(keras.Model):
    """The mean of the words' vectors, and a layer over it."""

    def __init__(self, words, width, classes):
        inputs = keras.Input([None], dtype="int64")  # [n, t]
        x = keras.layers.Embedding(words, width, mask_zero=True)(inputs)
        x = keras.layers.GlobalAveragePooling1D()(x)  # the mask leaves out what fills a batch: [n, width]
        super().__init__(inputs, keras.layers.Dense(classes)(x))

    def compile(self, optimizer="adam", loss=None, metrics=("accuracy",), **others):
        loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        super().compile(optimizer, loss, metrics=list(metrics), **others)


class ModelSection(ModelOptions):
    name: str = "words"
    width: int = 16


class Agreement(Evaluation):
    """The fraction of sentences that are answered right."""

    def __init__(self, class_names):
        self._names, self._rows = class_names, []

    def update(self, truth, results, key, raw):
        self._rows.append((key, int(truth["label"]), int(results["class_id"]), float(results["score"])))

    def values(self, intervals=True):
        right = np.array([label == said for _, label, said, _ in self._rows])
        low = high = None
        if intervals:
            means = np.random.default_rng(0).choice(right, (1000, len(right))).mean(1)
            low, high = np.quantile(means, (0.025, 0.975))
        return {"accuracy": Value(float(right.mean()), low, high)}

    def worst(self, n):
        wrong = [(score, key, said) for key, label, said, score in self._rows if label != said]
        return [Case(key, score, f"said {self._names[said]}") for score, key, said in sorted(wrong, reverse=True)[:n]]


class Sentences(Task):
    """One class a sentence."""

    Input = TextInput
    models = {"words": "sentence_classes:BagOfWords"}
    ModelOptions = ModelSection
    monitor = "accuracy"

    @property
    def truth(self):  # the text is there for `adapt` and the sampler; training reads it as a raw value
        return {"label": Truth("int32", role="class_ids"), "text": Truth("string", trains=False)}

    def adapt(self, truths):
        counts = Counter(word for truth in truths for word in str(truth["text"]).lower().split())
        self.learned = {"vocabulary": [word for word, _ in counts.most_common(self.input_options.words)]}

    def batch_sampler(self, truths, batch):
        lengths = np.array([len(str(truth["text"]).split()) for truth in truths])

        def epoch(generator):
            shuffled = generator.permutation(len(lengths))
            alike = shuffled[np.argsort(lengths[shuffled], kind="stable")]  # sentences of like length side by side
            batches = [alike[start : start + batch] for start in range(0, len(alike), batch)]
            short = [batches.pop()] if len(batches[-1]) < batch else []
            return np.concatenate([*(batches[i] for i in generator.permutation(len(batches))), *short])

        return epoch

    def model(self):
        return BagOfWords(len(self.learned["vocabulary"]) + 2, self.model_options.width, len(self.class_names))

    def targets(self, batch):
        return batch["words"], batch["label"]

    def results(self, outputs, geometry, settings):
        class_id = tf.argmax(outputs, -1, tf.int32)
        name = tf.gather(tf.constant(self.class_names), class_id)
        return {"class": name, "class_id": class_id, "score": tf.reduce_max(tf.nn.softmax(outputs), -1)}

    def evaluation(self, settings):
        return Agreement(self.class_names)

    def draw(self, shown, results, truth=None):
        page = Image.fromarray(shown.copy())
        said = f"said {results['class'].decode()} " if results else ""
        is_ = f"is {self.class_names[int(truth['label'])]}" if truth else ""
        ImageDraw.Draw(page).text((4, 18), said + is_, fill="red")
        return np.asarray(page)
