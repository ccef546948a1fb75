"""The order in which a request, and an answer, is judged. Pure: values in, verdicts and bytes out."""
