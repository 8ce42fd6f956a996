"""Writers of the files of a review. All render the same draft; none decides what is cited."""
