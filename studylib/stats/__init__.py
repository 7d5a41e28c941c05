"""Accuracies, differences and their 95% intervals, over videos, seeds, splits and speakers.

Imports training's predictions, no plan and no book.
"""
