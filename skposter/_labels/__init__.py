"""What counts as labels and as scores of labels, and numbers that belong to labels."""
