"""Data frames in, data frames out: the model of the service for pandas, polars and whatever else narwhals reads."""
