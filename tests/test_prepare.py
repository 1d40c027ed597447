"""A stage in Python before the graph: check, training, prediction, proof and server all run it."""

import io

import numpy as np
import pytest
from base_task import BaseTaskTest
from PIL import Image

import saccade
from saccade.models.errors import InputError
from saccade.pipelines.data.check import check
from saccade.pipelines.data.source import request
from saccade.serving.bundle import Bundle
from saccade.serving.client import Client


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


class TestCropped(BaseTaskTest):
    recipe = """
task: "cropping_task:Cropped"
data: {source: digits}
input: {size: 16, fit: stretch}
model: {name: lenet}
"""
    sizes = ((20, 28), (33, 17), (9, 40))
    changed_input = {"size": 24}
    changed_results = {"calibrate": False}

    @pytest.fixture(scope="class")
    @classmethod
    def framed(cls, job):
        """Digits in a wide black frame, which is to make no difference; and as they are."""
        source = job.data.source
        plain = [request(job.task, source, position)["bytes"] for position in cls.positions(job)[:3]]
        pixels = [np.asarray(Image.open(io.BytesIO(each)).convert("RGB")) for each in plain]
        return [{"bytes": png(np.pad(each, ((5, 9), (20, 3), (0, 0))))} for each in pixels], [
            {"bytes": b} for b in plain
        ]

    def test_a_frame_makes_no_difference_anywhere(self, job, bundle, framed):
        expected = list(job.predictor.answer_raws(framed[1]))
        assert not any(isinstance(each, str) for each in expected)
        with saccade.serve(bundle, port=0) as server:
            served = Client(server.url, "own").predict(framed[0])
        for answers in (job.predictor.answer_raws(framed[0]), Bundle(bundle).predict(framed[0]), served):
            for answer, right in zip(answers, expected, strict=True):
                np.testing.assert_allclose(answer["probabilities"], right["probabilities"], atol=1e-5)

    def test_one_image_that_cannot_be_prepared_is_one_failed_item(self, job, bundle, framed):
        raws = [framed[0][0], {"bytes": png(np.zeros((12, 12, 3), np.uint8))}, framed[0][1]]
        answers = list(job.predictor.answer_raws(raws))
        assert answers[1] == "nothing but black" and answers[0]["class"] is not None and "class" in answers[2]
        with pytest.raises(InputError, match="^instance 1: nothing but black$"):
            Bundle(bundle).predict(raws)
        with (
            saccade.serve(bundle, port=0) as server,
            pytest.raises(InputError, match=r"instances\[1\]: nothing but black"),
        ):
            Client(server.url, "own").predict(raws)

    def test_the_check_names_it(self, job, monkeypatch):
        source, black = job.data.source, png(np.zeros((8, 8, 3), np.uint8))
        read = source.read
        monkeypatch.setattr(source, "read", lambda position: {"bytes": black} if position == 3 else read(position))
        found = check(source, job.task)
        assert found.samples[3].reason == "nothing but black" and not found.samples[4].reason

    def test_the_bundle_says_what_it_needs(self, bundle):
        assert Bundle(bundle).description.prepare.task == "cropping_task:Cropped"
