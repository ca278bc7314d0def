"""Staff's pages: finding a patient and reading what may be read; the pharmacist's counter."""
