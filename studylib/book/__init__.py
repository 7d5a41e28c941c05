"""What the book's chapters show: tables, figures and cells; and what an experiment's notebook calls (`experiment`).

Imports every other room; nothing imports it but chapters and notebooks.
"""
