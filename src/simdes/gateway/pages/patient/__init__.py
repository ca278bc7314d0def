"""A patient's pages: their record, who may see it, who looked, prescriptions, files to keep."""
