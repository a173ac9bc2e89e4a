"""Data in: read labels as people have them and a folder of images, write such a CSV, draw posters.

A table of labels goes this way: `_tables` reads it, whatever file it is; `_cells` and
`_label_lists` know what cells say; `_columns` decides what each column is, `_labels` makes `y` of
them, and `_image_table` puts that beside the files that `_image_folder` finds and the `_problems`.
`_image_shards` puts it beside places in archives and Parquet files, which `_shard_index` finds.
"""

from skposter.datasets._annotations import load_coco, load_voc
from skposter.datasets._folder_elsewhere import image_folder  # noqa: F401, for the command
from skposter.datasets._image_folder import ImageFolder  # noqa: F401, for the command
from skposter.datasets._image_folders import load_image_folders
from skposter.datasets._image_shards import load_image_shards
from skposter.datasets._image_table import load_image_csv, load_image_table
from skposter.datasets._posters import make_posters
from skposter.datasets._writing import write_image_csv

__all__ = [
    "load_image_table",
    "load_image_csv",
    "load_image_folders",
    "load_image_shards",
    "load_coco",
    "load_voc",
    "write_image_csv",
    "make_posters",
]
