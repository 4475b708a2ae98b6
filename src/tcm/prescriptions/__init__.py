"""Prescriptions: one grammar for reading and writing them, changes of the previous one, the safety audit."""
