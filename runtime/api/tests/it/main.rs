//! Tests of windlass-api.
