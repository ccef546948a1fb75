"""Where audit records are delivered. A sink writes bytes in order; it builds, judges and drops no record."""
