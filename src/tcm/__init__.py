"""Traditional Chinese Medicine cases as data: what is true of cases, herbs and prescriptions, whoever uses it.

A library of its own: no model, no notebook, no torch in it.
"""
