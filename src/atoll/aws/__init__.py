"""The language AWS clients speak: models, codecs, signatures, errors. Pure: bytes in, values out."""
