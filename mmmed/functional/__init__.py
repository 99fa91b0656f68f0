"""Stateless array maths, arrays in and arrays out; imports no other room of ours.

Import from the module of the subject (``mmmed.functional.overlap``), so that one
subject never loads the libraries of another.
"""
