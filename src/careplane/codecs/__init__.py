"""Pure wire formats: bytes or JSON in, values out; no I/O. One module per format (FHIR, SQL on FHIR views, ...)."""
