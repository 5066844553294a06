#!/usr/bin/env python3
"""Writes rejected/*.json: annotation files of one 240 × 240 image, a.jpg, that a strict reading refuses.
messages.txt beside them says how; it is written by hand."""
import json
import pathlib

OUT = pathlib.Path(__file__).resolve().parent / "rejected"
IMAGE = {"id": 5, "file_name": "a.jpg", "width": 240, "height": 240}
SQUARE = [[10, 10, 50, 10, 50, 50, 10, 50]]


def annotation(**changes):
    return {"id": 8, "image_id": 5, "category_id": 1, "segmentation": SQUARE, **changes}


def text(images=(IMAGE,), categories=({"id": 1, "name": "a"},), annotations=(annotation(),)):
    return json.dumps({"images": list(images), "categories": list(categories), "annotations": list(annotations)})


def runs(counts):
    return text(annotations=[annotation(segmentation={"size": [240, 240], "counts": counts})])


def write(name, content):
    (OUT / (name + ".json")).write_bytes(content if isinstance(content, bytes) else (content + "\n").encode())


write("cut", text()[:150])
write("deep", "[" * 5000)
write("not_utf8", text().encode().replace(b"a.jpg", b"a\xff.jpg"))
write("nul_in_name", text().replace("a.jpg", "a\\u0000.jpg"))
write("integer_huge", text().replace('"id": 8', '"id": ' + "9" * 400))
write("real_huge", text().replace("[[10,", "[[1e400,"))
write("coordinate_huge", text().replace("[[10,", "[[1e300,"))
write("size_huge", text(images=[{**IMAGE, "width": 2 ** 40, "height": 2 ** 40}]))
write("size_negative", text(images=[{**IMAGE, "height": -240}]))
write("name_outside", text(images=[{**IMAGE, "file_name": "sub/../../a.jpg"}]))
write("name_absolute", text(images=[{**IMAGE, "file_name": "/dev/zero"}]))
write("image_twice", text(images=[IMAGE, IMAGE]))
write("annotation_twice", text(annotations=[annotation(), annotation()]))
write("image_unknown", text(annotations=[annotation(image_id=6)]))
write("category_unknown", text(annotations=[annotation(category_id=-1)]))
write("two_points", text(annotations=[annotation(segmentation=[[1, 1, 2, 2]])]))
write("outside", text(annotations=[annotation(segmentation=[[300, 300, 400, 300, 400, 400]])]))
write("runs_short", runs([100, 50]))
write("runs_long", runs([100, 2 ** 30]))
write("runs_negative", runs([100, -1]))
write("string_short", runs("51"))
write("string_endless", runs("o" * 60))
write("string_foreign", runs("\u00e9\u00e9"))
