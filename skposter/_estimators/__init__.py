"""What every estimator here shares: spelling, versions in pickles, fit tasks, the walk inside."""
