"""Data in: read a CSV of labels and a folder of images, write such a CSV, draw a data set."""

from skposter.datasets._csv_writing import write_image_csv
from skposter.datasets._image_csv import load_image_csv
from skposter.datasets._image_folder import ImageFolder  # noqa: F401, for the command
from skposter.datasets._posters import make_posters

__all__ = ["load_image_csv", "write_image_csv", "make_posters"]
