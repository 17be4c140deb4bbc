"""Figures as SVG strings, one module a family. Pure functions: arrays in, SVG out; nothing is read or written."""
