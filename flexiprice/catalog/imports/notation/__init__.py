"""Reads cells as people and spreadsheets write them: amounts, dates, codes and currencies.

Pure functions of a cell's text. Readers of records import them.
"""
