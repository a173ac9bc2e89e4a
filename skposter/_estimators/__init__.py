"""What every estimator here shares: spelling help, versions in pickles, the walk inside a model."""
