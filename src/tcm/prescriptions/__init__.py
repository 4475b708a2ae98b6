"""Prescriptions and answers: reading and writing their notation, a case as text, the safety audit."""
