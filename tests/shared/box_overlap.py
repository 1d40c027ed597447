"""Intersection over union of two boxes, by the definition."""


def iou(left, right):
    across = max(0.0, min(left[2], right[2]) - max(left[0], right[0]))
    down = max(0.0, min(left[3], right[3]) - max(left[1], right[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (left, right)]
    return across * down / (sum(areas) - across * down)
