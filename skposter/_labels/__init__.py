"""What counts as labels and as scores of labels, their names, and numbers that belong to them.

Other packages import the modules: ``checks`` (labels and scores as arrays, or an error that names
row and label), ``names`` (columns in the order of labels that are known), ``unknown`` and ``rare``
(what is NaN, what has few positives), ``decisions`` (right and wrong ones, counted),
``probabilities`` (of every classifier in one shape), ``log_odds`` (their averages) and
``per_label`` (numbers given by name).
"""
