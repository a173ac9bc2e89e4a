"""Copies of pictures found by their thumbnails, and by features of a network.

    python benchmarks/near_duplicates.py --images Images \
        --weights mobilenet_2_5_224_tf_no_top.h5 [--out docs/benchmarks/near_duplicates.md]

Copies of some images are changed as people change them. A copy counts as found if it is more like
its original than any two different images of the folder are like each other, so neither way may
call different pictures the same. The few pairs that are truly the same picture are left out by
`near_duplicate_groups` first.
"""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path

import _report
import numpy as np
from PIL import Image, ImageOps

from skposter import ImageFeatures, ImageLoader
from skposter.model_selection import near_duplicate_groups
from skposter.networks import Pretrained

N_COPIED = 300
SIZE = (224, 160)
BLOCK = 500


def cropped(share):
    def change(image):
        w, h = image.size
        return image.crop((share * w, share * h, (1 - share) * w, (1 - share) * h))

    return change


def recompressed(image):
    file = BytesIO()
    image.resize((image.width // 2, image.height // 2)).save(file, "JPEG", quality=30)
    return Image.open(file)


CHANGES = {
    "half the size, JPEG quality 30": recompressed,
    "cropped by 2 %": cropped(0.02),
    "cropped by 5 %": cropped(0.05),
    "cropped by 10 %": cropped(0.1),
    "white border of 5 %": lambda im: ImageOps.expand(im, border=im.width // 20, fill="white"),
    "grey": lambda im: im.convert("L").convert("RGB"),
    "mirrored": ImageOps.mirror,
    "warmer colours": lambda im: Image.merge(
        "RGB",
        [
            band.point(lambda v, f=f: min(255, int(v * f)))
            for band, f in zip(im.split(), (1.2, 1, 0.7), strict=True)
        ],
    ),
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--out")
    options = parser.parse_args()
    paths = sorted(map(str, options.images.iterdir()))
    groups = near_duplicate_groups(paths, n_jobs=2)
    _, first = np.unique(groups, return_index=True)
    paths = [paths[i] for i in np.sort(first)]
    network = Pretrained("mobilenet", weights=options.weights, builder_params={"alpha": 0.25})
    ways = {
        "thumbnails": thumbnails,
        "features": lambda images: unit(ImageFeatures(network).transform(images)),
    }
    images = ImageLoader(size=SIZE).transform(paths)
    copied = np.linspace(0, len(paths) - 1, N_COPIED).astype(int)
    originals = [Image.open(paths[i]).convert("RGB") for i in copied]
    copies = {
        name: ImageLoader(size=SIZE).transform([change(image) for image in originals])
        for name, change in CHANGES.items()
    }
    rows = {name: [name] for name in ["most alike of two different images", *CHANGES]}
    for describe in ways.values():
        vectors = describe(images)
        limit = most_alike(vectors)
        rows["most alike of two different images"].append(f"{limit:.3f}")
        for name, changed in copies.items():
            likeness = np.einsum("ij,ij->i", describe(changed), vectors[copied])
            rows[name].append(f"{(likeness > limit).mean():.0%}")
    _report.write(
        options.out,
        "# Near-duplicates: thumbnails or features",
        f"{N_COPIED} of {len(paths):,} posters, changed; the share of copies that are more like "
        "their original than any two different posters are like each other. Thumbnails: the "
        "correlation that `near_duplicate_groups` uses. Features: the cosine of MobileNet 0.25's.",
        _report.table(["change", *ways], rows.values()),
    )


def thumbnails(images):
    small = ImageLoader(size=(36, 24)).transform(images).reshape(len(images), -1)
    return unit(small - small.mean(axis=1, keepdims=True))


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def most_alike(vectors):
    """Return the largest product of two different rows."""
    largest = -1.0
    for start in range(0, len(vectors), BLOCK):
        likeness = vectors[start : start + BLOCK] @ vectors.T
        rows = np.arange(len(likeness))
        likeness[rows, rows + start] = -1
        largest = max(largest, float(likeness.max()))
    return largest


if __name__ == "__main__":
    main()
