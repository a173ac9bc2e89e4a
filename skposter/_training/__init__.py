"""Training a network: the only package that knows SciKeras and ``Model.fit``."""
