"""Identity as the group of a sample, batches of P identities with K images each, an evaluation over pairs: the shape of
face verification. The identities of the test split were never seen in training, so there are no classes.
"""

import io

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.metrics import roc_auc_score

from saccade.models.contract import Case, Evaluation, ModelOptions, Task, Truth, Value
from saccade.models.errors import InputError
from saccade.models.inputs.image import ImageInput, ImageOptions
from saccade.pipelines.data.source import DataOptions, ImageSource


class SignsOptions(DataOptions):
    identities: int = 60
    images: int = 6
    validation: float = 0.2
    test: float = 0.2


class Signs(ImageSource):
    """A sign of its own for each identity, drawn again and again with noise and a shift."""

    Options = SignsOptions

    def __init__(self, options, truth):
        self.class_names, self.splits = [], {}
        self._each = options.images
        self.keys = [f"{who}/{take}" for who in range(options.identities) for take in range(options.images)]
        self.groups = self.keys  # who belongs together is for the task's truth to say

    def encoded(self, position):
        sign = np.random.default_rng(position // self._each).random((8, 8)) > 0.6
        random = np.random.default_rng((position // self._each, position % self._each))
        image = np.zeros((20, 20), np.float32)
        top, left = random.integers(1, 4, 2)
        image[top : top + 16, left : left + 16] = 200 * np.kron(sign, np.ones((2, 2)))
        noisy = np.clip(image + random.normal(30, 25, image.shape), 0, 255).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(noisy).save(stream, "PNG")
        return stream.getvalue()

    def truth(self, position):
        return {"identity": f"writer {position // self._each}"}


class Small(ImageOptions):
    size: int = 20


class SmallImage(ImageInput):
    Options = Small


class Options(ModelOptions):
    """The recipe's `model` section."""

    name: str = "embedder"
    width: int = 16
    images_per_identity: int = 3
    margin: float = 0.3


class Embedder(keras.Model):
    """Unit-length embeddings, trained by the hardest triplets of each batch (Hermans et al. 2017)."""

    def __init__(self, shape, width, margin):
        image = keras.Input(shape)
        x = keras.layers.Rescaling(1 / 127.5, -1)(image)
        for factor in (1, 2):
            x = keras.layers.Conv2D(factor * width, 3, strides=2, padding="same", activation="relu")(x)
        x = keras.layers.Dense(16)(keras.layers.Flatten()(x))
        super().__init__(image, keras.layers.UnitNormalization()(x))  # [n, 16]
        self.margin = margin

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        distance = 2 - 2 * tf.matmul(y_pred, y_pred, transpose_b=True)  # squared, [n, n]
        same = y[:, None] == y[None, :]
        positive = tf.reduce_max(tf.where(same, distance, 0.0), 1)
        negative = tf.reduce_min(tf.where(same, 4.0, distance), 1)
        return tf.reduce_mean(tf.nn.relu(positive - negative + self.margin))


class Pairs(Evaluation):
    """Whether two images of one identity are nearer to each other than two of different ones."""

    def __init__(self):
        self._keys, self._who, self._vectors = [], [], []

    def update(self, truth, results, key, raw):
        self._keys.append(key)
        self._who.append(str(truth["identity"]))
        self._vectors.append(results["embedding"])

    def _pairs(self):
        vectors, who = np.stack(self._vectors), np.array(self._who)
        rows, columns = np.triu_indices(len(who), 1)
        return rows, columns, who[rows] == who[columns], (vectors[rows] * vectors[columns]).sum(1)

    def values(self, intervals=True):
        _, _, same, nearness = self._pairs()
        return {"roc_auc": Value(float(roc_auc_score(same, nearness)) if 0 < same.mean() < 1 else float("nan"))}

    def worst(self, n):
        rows, columns, same, nearness = self._pairs()
        order = [i for i in np.argsort(nearness) if same[i]][:n]
        cases = {self._keys[rows[i]]: (1 - float(nearness[i]), self._keys[columns[i]]) for i in order}
        return [Case(key, badness, f"far from {other}") for key, (badness, other) in cases.items()]


class SameWriter(Task):
    """An embedding in which images of one identity lie together."""

    Input = SmallImage
    models = {"embedder": "same_writer:Embedder"}
    ModelOptions = Options
    monitor = "roc_auc"
    truth = {"identity": Truth("string", role="group")}
    output_roles = {"embedding": "embedding"}
    keep_samples = False  # a bundle carries nobody's data

    def batch_sampler(self, truths, batch):
        each = self.model_options.images_per_identity
        if batch % each:
            raise InputError(f"train.batch: {batch} is no multiple of model.images_per_identity, {each}")
        of = {}
        for index, truth in enumerate(truths):
            of.setdefault(str(truth["identity"]), []).append(index)
        members = list(of.values())

        def epoch(generator):
            drawn = []
            for _ in range(max(1, len(truths) // batch)):
                for place in generator.permutation(len(members))[: batch // each]:
                    own = members[place]  # with fewer images than asked for, some come twice, augmented anew
                    drawn.extend(generator.choice(own, each, replace=len(own) < each))
            return np.array(drawn, np.int64)

        return epoch

    def model(self):
        return Embedder(self.input.shape, self.model_options.width, self.model_options.margin)

    def targets(self, batch):
        return batch["image"], tf.strings.to_hash_bucket_fast(batch["identity"], 2**31 - 1)

    def results(self, outputs, geometry, settings):
        return {"embedding": outputs}

    def evaluation(self, settings):
        return Pairs()

    def summary(self, values):
        return str(values["identity"]) if "identity" in values else "an embedding"

    def draw(self, shown, results, truth=None):
        return np.asarray(Image.fromarray(shown).resize((80, 80), Image.Resampling.NEAREST))
