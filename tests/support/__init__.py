"""Servers, programs and rows that several kinds of tests need. It holds no test."""
