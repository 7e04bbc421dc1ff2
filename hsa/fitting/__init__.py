"""From texts to a model's field: warm-up, seeding, calibration."""
