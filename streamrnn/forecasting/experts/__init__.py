"""The experts whose forecasts are mixed, one a file."""
