"""SIMDES: medical records exchanged under the patient's control."""
