"""Codecs: encoding and decoding of single chunks and cells."""

__all__: list[str] = []
